"""No server outlives the process that started it, however that process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from streams.local.valkey import LocalValkey
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

_BOTH = """
import time
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey
with LocalKafka() as kafka, LocalValkey() as valkey:
    print(kafka.pid, valkey.pid, flush=True)
    time.sleep(600)
"""

_VALKEY = """
import os, pathlib, sys, time
from streams.local.valkey import LocalValkey
valkey = LocalValkey(home=pathlib.Path(sys.argv[1]))
valkey.start()
child = os.fork() if "fork" in sys.argv else None
if child == 0:
    time.sleep(600)
print(valkey.pid, child or os.getpid(), flush=True)
if "exit" in sys.argv:
    sys.exit()
time.sleep(600)
"""


def _start(program: str, *arguments: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A parent process, and the servers (or children) whose pids it prints."""
    parent = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pids = parent.stdout.readline().split()
    return parent, [psutil.Process(int(pid)) for pid in pids]


def _wait_gone(process: psutil.Process) -> None:
    # A zombie is gone too: in a container nobody may be there to reap it.
    wait_until(
        lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE,
        what=f"the end of {process.pid}",
    )


def test_kill_9_of_the_parent_takes_both_servers_along(kafka: str) -> None:
    """`kafka` only because it downloads the jars where they are missing."""
    parent, servers = _start(_BOTH)
    assert [server.name() for server in servers] == ["java", "valkey-server"]
    parent.kill()
    parent.wait()
    for server in servers:
        _wait_gone(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_parent_takes_the_server_along(number: signal.Signals, tmp_path: Path) -> None:
    parent, (server, _) = _start(_VALKEY, str(tmp_path))
    parent.send_signal(number)
    assert parent.wait(30) != 0
    _wait_gone(server)


def test_the_end_of_the_program_stops_the_server_and_deletes_its_data(tmp_path: Path) -> None:
    parent, (server, _) = _start(_VALKEY, str(tmp_path), "exit")
    assert parent.wait(30) == 0
    assert not server.is_running()
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_what_a_killed_parent_left_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    parent, (server, _) = _start(_VALKEY, str(tmp_path))
    supervisor = psutil.Process(server.ppid())
    parent.kill()
    parent.wait()
    _wait_gone(supervisor)
    with LocalValkey(home=tmp_path) as valkey:
        folder = valkey.log_path.parent
        assert [path for path in (tmp_path / "run").iterdir() if path.is_dir()] == [folder]


def test_a_forked_child_that_lives_on_does_not_keep_the_server(tmp_path: Path) -> None:
    parent, (server, child) = _start(_VALKEY, str(tmp_path), "fork")
    try:
        parent.kill()
        parent.wait()
        _wait_gone(server)
        assert child.is_running()
    finally:
        child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_killed_supervisor_takes_its_server_along(own_valkey: LocalValkey) -> None:
    assert own_valkey.pid is not None
    server = psutil.Process(own_valkey.pid)
    os.kill(server.ppid(), signal.SIGKILL)
    _wait_gone(server)
    wait_until(lambda: not own_valkey.is_running)
    own_valkey.start()
    with redis.Redis.from_url(own_valkey.url) as client:
        assert client.ping()


def test_a_server_that_does_not_end_is_killed_after_the_grace(
    own_valkey: LocalValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalValkey, "_stop_within_s", 0.2)
    with LocalValkey(home=tmp_path) as valkey:
        assert valkey.pid is not None
        server = psutil.Process(valkey.pid)
        server.suspend()
        valkey.stop()
        assert not server.is_running()
