from __future__ import annotations

import asyncio

from work_samples import queued
from work_station import Station, other_job, raises, returns

from handlers.execution import HandlerError
from streams.contracts.jobs import Job, Why
from streams.contracts.outcomes import Reject, Skip
from streams.contracts.results import State
from streams.contracts.states import Status
from streams.work.needs import NEED_AGAIN_S

HOOK, FACES, SCENES = "hook_analysis", "face_detection", "scene_detection"


def wire(station: Station) -> None:
    """The click rate needs hook and faces; the hook needs faces."""
    station.executor.wants = {"ctr_prediction": (HOOK, FACES), HOOK: (FACES,)}
    for task in ("ctr_prediction", HOOK, FACES):
        station.handler(returns(task), task)


async def test_needs_are_computed_once_and_their_own_needs_before_them(station: Station) -> None:
    wire(station)
    one = queued()
    assert await station.process(one) is None
    assert station.executor.ran == [FACES, HOOK, "ctr_prediction"]
    for task in (FACES, HOOK, "ctr_prediction"):
        envelope = await station.envelope(one, task)
        assert envelope is not None
        assert envelope.result == task
    assert await station.process(other_job(one, input_version=2)) is None
    assert station.executor.ran.count(FACES) == 1


async def test_what_is_computed_ahead_is_counted_by_its_cause_needs_too(station: Station) -> None:
    wire(station)
    await station.process(queued())
    demanded = queued(why=Why.DEMAND)
    await station.process(demanded)
    await station.counters.flush()
    counted = {name: n for name, n in (await station.counters.totals()).items() if "ahead:" in name}
    why = queued().job.why
    assert counted == {f"ahead:{task}:{why}": 1.0 for task in (FACES, HOOK, "ctr_prediction")}


async def test_a_need_somebody_else_computes_is_waited_for(station: Station) -> None:
    wire(station)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Job) -> int:
        begun.set()
        await go_on.wait()
        return 1

    station.handler(slow, FACES)
    one = queued()
    faces = queued(task=FACES)
    faces.job = other_job(faces, entity_id=one.job.entity_id, key=f"{FACES}:video:{one.job.entity_id}").job
    running = asyncio.create_task(station.process(faces))
    await begun.wait()
    assert await station.process(one) == NEED_AGAIN_S
    assert (one.attempt, one.status) == (0, Status.QUEUED)
    assert not await station.is_leased(one)
    assert not await station.redis.exists(station.names.lease(f"{HOOK}:video:{one.job.entity_id}"))
    go_on.set()
    await running
    assert await station.process(one) is None
    assert station.executor.ran.count(FACES) == 1


async def test_a_need_in_this_worker_s_hands_comes_up_by_itself(station: Station) -> None:
    wire(station)
    station.processor.needs.holds = lambda key, priority: key.startswith(FACES) and priority == 8
    assert await station.process(queued()) == NEED_AGAIN_S
    assert not station.executor.ran


async def test_a_need_that_is_rejected_is_left_out(station: Station) -> None:
    wire(station)
    station.handler(raises(Reject("no face model", reason="unreadable")), FACES)
    one = queued()
    assert await station.process(one) is None
    assert (await station.record(one)).status is Status.COMPLETED
    envelope = await station.envelope(one, FACES)
    assert envelope is not None
    assert envelope.state is State.UNAVAILABLE


async def test_a_need_with_nothing_to_do_does_not_skip_what_needs_it(station: Station) -> None:
    wire(station)
    station.handler(raises(Skip("nothing to see")), FACES)
    one = queued()
    assert await station.process(one) is None
    assert (await station.record(one)).status is Status.COMPLETED
    assert not await station.redis.exists(station.names.lease(f"{FACES}:video:{one.job.entity_id}"))


async def test_a_need_that_fails_is_the_job_s_failed_attempt(station: Station) -> None:
    wire(station)
    station.handler(raises(HandlerError("bug in faces")), FACES)
    one = queued()
    assert await station.process(one) is not None
    assert one.attempt == 1
    assert not await station.redis.exists(
        *(
            station.names.lease(f"{task}:video:{one.job.entity_id}")
            for task in (FACES, HOOK, "ctr_prediction")
        )
    )
