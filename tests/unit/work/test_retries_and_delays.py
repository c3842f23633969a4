from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work_samples import queued

from streams.contracts.clock import ManualClock
from streams.contracts.errors import ConfigurationError
from streams.work.delays import DelayQueue
from streams.work.records import QueuedJob
from streams.work.retry import LONGEST_IN_MEMORY_S, RetryPolicy
from streams.work.worker import due_in

POLICY = RetryPolicy(max_attempts=5, base_s=0.5, longest_s=600.0)


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_waits_double_within_their_jitter_and_their_bound(attempts: int, draw: float) -> None:
    wait = POLICY.wait(attempts, draw=draw)
    ceiling = min(600.0, 0.5 * 2.0 ** min(attempts - 1, 30))
    assert math.isclose(wait.seconds, ceiling * (0.5 + 0.5 * draw))
    assert (wait.topic is None) == (wait.seconds <= LONGEST_IN_MEMORY_S)
    if wait.topic is not None:
        assert wait.topic.seconds >= min(wait.seconds, 600.0), "never sooner than its time"


@given(st.floats() | st.none())
def test_whatever_a_handler_asks_for_is_a_wait(asked: float | None) -> None:
    wait = POLICY.wait(1, asked_s=asked, draw=1.0)
    assert wait.seconds >= 0.5
    if asked is not None and asked > LONGEST_IN_MEMORY_S:
        assert wait.topic is not None


def test_attempts_are_spent_at_their_number() -> None:
    assert [POLICY.is_spent(n) for n in (1, 4, 5, 6)] == [False, False, True, True]


@pytest.mark.parametrize(
    "wrong", [{"max_attempts": 0}, {"base_s": 0.0}, {"base_s": 700.0}], ids=lambda wrong: next(iter(wrong))
)
def test_a_wrong_policy_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        RetryPolicy(**{"max_attempts": 5, "base_s": 0.5, "longest_s": 600.0, **wrong})  # type: ignore[arg-type]


@given(st.lists(st.floats(0.001, 100.0), min_size=1, max_size=12))
def test_jobs_come_back_in_the_order_of_their_times(seconds: list[float]) -> None:
    clock, released = ManualClock(), list[QueuedJob]()
    delays = DelayQueue(released.append, clock)
    made = {one: queued() for one in seconds}
    for one in seconds:
        delays.put(made[one], one)
    delays.release_due()
    assert released == []
    clock.advance(max(seconds))
    delays.release_due()
    assert released == [made[one] for one in sorted(seconds)]
    assert len(delays) == 0


def test_only_what_is_due_comes_back() -> None:
    clock, released = ManualClock(), list[QueuedJob]()
    delays = DelayQueue(released.append, clock)
    soon, later = queued(), queued()
    delays.put(later, 2.0)
    delays.put(soon, 1.0)
    clock.advance(1.0)
    delays.release_due()
    assert released == [soon]
    assert delays.drop(lambda one: one is later) == [later]
    clock.advance(10.0)
    delays.release_due()
    assert released == [soon]


async def test_a_running_queue_releases_by_itself() -> None:
    came = asyncio.Event()
    clock = ManualClock()
    delays = DelayQueue(lambda _: came.set(), clock)
    await delays.start()
    delays.put(queued(), 0.0)
    await asyncio.wait_for(came.wait(), 5.0)
    await delays.stop()


@pytest.mark.parametrize(
    ("due", "seconds"),
    [
        (None, 0.0),
        (b"", 0.0),
        (b"soon", 0.0),
        (b"-5", 0.0),
        (b"9" * 5_000, 0.0),
        (b"1000", 0.0),
        (b"3500", 1.5),
        (b"99999999999999", 600.0),
    ],
)
def test_a_retry_is_due_at_its_time_and_never_in_a_year(due: bytes | None, seconds: float) -> None:
    assert due_in(due, now_ms=2_000) == seconds
