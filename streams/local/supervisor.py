"""A tiny process between us and a server, so that the server never outlives us.

Run as a script (`python -I -S supervisor.py GRACE_S COMMAND...`), standard library only. It starts the
command, writes its pid as a line to stdout and then waits for whichever comes first: the end of the
command, a byte on stdin (`K`: kill -9 the command) or the end of stdin. The latter comes when the parent
closes it to stop the server, and by itself when the parent dies, kill -9 included. It exits as the command
did.

Why a process of its own: on Linux PR_SET_PDEATHSIG fires when the *thread* that forked ends, and a forked
child of our parent may hold the write end of the pipe open. Here one thread forks, and the parent's pid is
looked at as well.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys

#: How often the parent's pid is compared, for the case that something else holds the pipe open.
LOOK_EVERY_S = 0.5
#: linux/prctl.h
PR_SET_PDEATHSIG = 1
WAKING_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(grace_s: float, command: list[str]) -> int:
    parent = os.getppid()
    signals = _wake_on_signals()
    server = subprocess.Popen(  # noqa: S603 (the caller's command)
        command,
        stdin=subprocess.DEVNULL,
        stdout=2,
        process_group=0,
        preexec_fn=_die_with_me,  # noqa: PLW1509 (there is one thread here, that is the point)
    )
    os.write(1, f"{server.pid}\n".encode())
    _wait(server, parent, signals)
    _end(server, grace_s)
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _wake_on_signals() -> int:
    """A file descriptor that gets a byte for each signal; SIGTERM and the like mean stop."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in WAKING_SIGNALS:
        signal.signal(number, lambda *_: None)
    return readable


def _die_with_me() -> None:
    """In the child, before exec: a killed supervisor takes its server along (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(server: subprocess.Popen[bytes], parent: int, signals: int) -> None:
    """Returns when the server has ended or is to be stopped."""
    while server.poll() is None:
        if os.getppid() != parent:
            return
        readable, _, _ = select.select([0, signals], [], [], LOOK_EVERY_S)
        if 0 in readable:
            if os.read(0, 1) != b"K":
                return
            _signal_all(server, signal.SIGKILL)
        elif signals in readable and set(os.read(signals, 64)) - {signal.SIGCHLD}:
            return


def _end(server: subprocess.Popen[bytes], grace_s: float) -> None:
    """SIGTERM, then SIGKILL to it and whatever it started."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(grace_s)
        except subprocess.TimeoutExpired:
            _signal_all(server, signal.SIGKILL)
    server.wait()


def _signal_all(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the server's process group, which is its own. It is not reaped yet, so the id is still its."""
    if server.poll() is None:
        os.killpg(server.pid, number)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
