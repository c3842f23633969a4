from __future__ import annotations

import asyncio

import pytest
from work_samples import queued
from work_station import Station, again, other_job, raises, returns

from handlers.execution import HandlerError
from streams.contracts.clock import ManualClock, millis
from streams.contracts.jobs import Group, Job
from streams.contracts.outcomes import NotAvailable, Reject, Retry, Skip
from streams.contracts.results import State
from streams.contracts.states import Status
from streams.work.pool import ChildDiedError, JobTimeoutError


async def test_a_result_is_written_before_the_job_has_ended(station: Station) -> None:
    station.handler(returns({"ctr": 0.02}))
    one = queued()
    assert await station.process(one) is None
    envelope = await station.envelope(one)
    assert envelope is not None
    assert (envelope.result, envelope.state, envelope.job_id) == ({"ctr": 0.02}, State.FRESH, one.job.id)
    assert (await station.record(one)).status is Status.COMPLETED
    assert not await station.is_leased(one)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"expires_at": 1_699_999_999_999}, "expired"), ({"group": Group.HOLDOUT}, "held_out")],
)
async def test_what_is_not_wanted_never_runs(
    station: Station, fields: dict[str, object], reason: str
) -> None:
    one = queued(**fields)
    assert await station.process(one) is None
    found = await station.record(one)
    assert (found.status, found.timeline[-1].reason) == (Status.SKIPPED, reason)
    assert not station.executor.ran


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "shown"),
    [
        (Skip("no video"), Status.SKIPPED, "nothing_to_do", None),
        (Reject("no such codec", reason="unreadable"), Status.FAILED, "rejected", "unreadable"),
        (NotAvailable("install the extra"), Status.SKIPPED, "not_available", "not_available"),
    ],
)
async def test_an_outcome_that_will_not_heal_ends_the_job(
    station: Station, outcome: Exception, status: Status, reason: str, shown: str | None
) -> None:
    station.handler(raises(outcome))
    one = queued()
    assert await station.process(one) is None
    found = await station.record(one)
    assert (found.status, found.timeline[-1].reason) == (status, reason)
    envelope = await station.envelope(one)
    assert (envelope.reason if envelope else None) == shown
    assert envelope is None or envelope.state is State.UNAVAILABLE
    assert not await station.is_leased(one)
    assert not station.letters.buried


@pytest.mark.parametrize("error", [Retry("busy", after_s=2.0), HandlerError("bug"), JobTimeoutError("slow")])
async def test_a_failure_that_may_heal_is_tried_again_here(station: Station, error: Exception) -> None:
    station.handler(raises(error))
    one = queued()
    seconds = await station.process(one)
    assert seconds is not None
    assert 0.0 < seconds <= 5.0
    assert seconds >= (2.0 if isinstance(error, Retry) else 0.0)
    assert (one.attempt, one.status) == (1, Status.QUEUED)
    assert not await station.is_leased(one)
    station.handler(returns(1))
    assert await station.process(one) is None
    assert [entry.status.value for entry in (await station.record(one)).timeline] == [
        "processing",
        "queued",
        "processing",
        "completed",
    ]


async def test_a_long_wait_goes_through_a_retry_topic(station: Station) -> None:
    station.handler(raises(Retry("rate limit", after_s=40.0)))
    one = queued()
    assert await station.process(one) is None, "the record's offset may move"
    ((_, attempts, wait),) = station.letters.retried
    assert (attempts, wait.topic.label if wait.topic else None) == (1, "1m")
    assert not await station.is_leased(one)


async def test_attempts_spent_end_in_the_dead_letters(station: Station) -> None:
    station.handler(raises(HandlerError("bug", trace="line 3")))
    one = queued()
    for _ in range(2):
        assert await station.process(one) is not None
    assert await station.process(one) is None
    assert station.letters.buried == [(one.record, "attempts_spent", "bug", 3)]
    envelope = await station.envelope(one)
    assert envelope is not None
    assert (envelope.state, envelope.reason) == (State.UNAVAILABLE, "attempts_spent")
    assert (await station.record(one)).status is Status.FAILED


async def test_three_dead_children_are_poison(redis_url: str, clock: ManualClock) -> None:
    station = Station(redis_url, clock, max_attempts=10)
    await station.start()
    station.handler(raises(ChildDiedError("signal 9")))
    one = queued()
    for _ in range(2):
        assert await station.process(one) is not None
    assert await station.process(one) is None
    assert station.letters.buried[0][1] == "poison"
    await station.stop()


async def test_a_bug_leaves_its_start_counted_until_it_is_poison(station: Station) -> None:
    """The process ends with a bug; the next one finds out how often that has happened."""
    station.handler(raises(TypeError("a bug of ours")))
    one = queued()
    for _ in range(3):
        with pytest.raises(TypeError):
            await station.process(again(one))
        await station.lose_lease(one)
    assert await station.process(again(one)) is None
    assert [letter[1] for letter in station.letters.buried] == ["poison"]
    assert len(station.executor.ran) == 3


async def test_the_same_job_delivered_twice_waits_for_the_first(station: Station) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Job) -> int:
        begun.set()
        await go_on.wait()
        return 1

    station.handler(slow)
    one = queued()
    first = asyncio.create_task(station.process(one))
    await begun.wait()
    twin, rival = again(one), other_job(one)
    seconds = await station.process(twin)
    assert seconds is not None
    assert 0.0 < seconds <= 10.0, "the holder may have died: look again when its lease has run out"
    assert await station.process(rival) is None
    assert (await station.record(rival)).timeline[-1].reason == "duplicate"

    go_on.set()
    assert await first is None
    assert await station.process(twin) is None
    assert len(station.executor.ran) == 1


async def test_a_cancelled_run_gives_its_lease_back_and_spends_no_attempt(station: Station) -> None:
    begun = asyncio.Event()

    async def endless(_: Job) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 1

    station.handler(endless)
    one = queued()
    running = asyncio.create_task(station.process(one))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (one.attempt, one.status) == (0, Status.QUEUED)
    station.handler(returns(1))
    assert await station.process(again(one)) is None
    assert (await station.envelope(one)) is not None


async def test_a_cancelled_job_does_not_run(station: Station) -> None:
    one = queued()
    await station.redis.zadd(station.names.cancelled, {one.job.id: millis(station.clock.now()) + 1000})
    assert await station.process(one) is None
    assert (await station.record(one)).status is Status.CANCELLED
    assert not station.executor.ran
