"""Every role is restarted in turn while events are published and answers are read: nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local.ports import free_port
from tests.chaos.ledger import TASK
from tests.chaos.probe import TRACES
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until
from tests.upgrades.load import Load

#: Above PRECOMPUTE_GRACE_S.
STOP_WITHIN_S = 45.0
#: Before the first restart and after the last there is load, too.
LEAST_PUBLISHED = 50

#: uvicorn finishes its requests and then ends as the signal would have ended it; a kill would be -SIGKILL.
ENDED_BY_ITSELF = (0, -signal.SIGTERM)

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(300)]


@pytest.fixture
def system(kafka: str, redis_url: str, tmp_path: Path) -> Iterator[SystemUnderTest]:
    traces = tmp_path / "traces"
    traces.mkdir()
    with SystemUnderTest(
        tmp_path, kafka, redis_url, handler_modules="tests.chaos.probe", workers="16"
    ) as running:
        running.environment |= {TRACES: str(traces), "PYTHONPATH": str(Path.cwd())}
        yield running


def start_all(system: SystemUnderTest) -> list[str]:
    """One streams role, two workers, two APIs; the addresses of the APIs."""
    first = str(system.http.base_url).rstrip("/")
    system.add("streams").start()
    for label in ("worker:1", "worker:2", "api:1"):
        system.add(label).start()
    port = free_port()
    system.environment["PRECOMPUTE_PORT"] = str(port)
    system.add("api:2").start()
    for role in system.roles.values():
        role.wait_ready()
    return [first, f"http://127.0.0.1:{port}/api/precompute"]


def test_a_rolling_restart_loses_nothing(system: SystemUnderTest) -> None:
    apis = start_all(system)
    codes = {}

    with Load(system, apis, TASK) as load:
        wait_until(lambda: len(load.published) >= LEAST_PUBLISHED, what="some load")
        for label, role in system.roles.items():
            codes[label] = role.stop(STOP_WITHIN_S)
            role.start()
            role.wait_ready()
        since = len(load.published)
        wait_until(lambda: len(load.published) >= since + LEAST_PUBLISHED, what="some more load")

    assert {label: code for label, code in codes.items() if code not in ENDED_BY_ITSELF} == {}
    assert load.problems == []
    assert load.reads["read"] > 0
    assert load.reads["failed"] == 0
    _assert_answered(system, apis[0], load.published)


def _assert_answered(system: SystemUnderTest, api: str, published: dict[str, int]) -> None:
    """Every event has its answer, made from that event."""
    left = dict(published)

    def look() -> bool:
        for user in list(left):
            response = system.http.get(f"{api}/cache/{TASK}:user:{user}")
            if response.status_code != 200:
                return False
            assert response.json()["result"]["n"] == left.pop(user)
        return True

    wait_until(look, within_s=60, what="an answer to every event")
