from __future__ import annotations

from work_samples import queued
from work_station import Station, again, other_job, returns

from handlers.execution import HandlerError
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Group, Job
from streams.contracts.outcomes import Reject
from streams.contracts.states import Status
from streams.work.batch import BatchProcessor
from streams.work.endings import AWAY_AGAIN_S
from streams.work.needs import NEED_AGAIN_S


async def test_a_batch_is_one_call_and_each_job_has_its_own_end(station: Station) -> None:
    jobs = [queued() for _ in range(3)]
    held_out = queued(group=Group.HOLDOUT)

    async def script(one: Job) -> str:
        if one.id == jobs[1].job.id:
            raise Reject("no", reason="unreadable")
        return one.entity_id

    station.handler(script)
    assert await BatchProcessor(station.processor).process([*jobs, held_out]) == [None] * 4
    assert station.executor.batches == [[one.job.entity_id for one in jobs]]
    statuses = [(await station.record(one)).status for one in (*jobs, held_out)]
    assert statuses == [Status.COMPLETED, Status.FAILED, Status.COMPLETED, Status.SKIPPED]
    envelope = await station.envelope(jobs[2])
    assert envelope is not None
    assert envelope.result == jobs[2].job.entity_id


async def test_a_call_that_fails_is_everybody_s_attempt(station: Station) -> None:
    async def script(_: Job) -> str:
        raise HandlerError("bug")

    station.handler(script)
    jobs = [queued() for _ in range(2)]
    waits = await BatchProcessor(station.processor).process(jobs)
    assert all(wait is not None for wait in waits)
    assert [one.attempt for one in jobs] == [1, 1]


async def test_a_job_that_took_its_process_down_runs_alone_and_is_buried_at_last(station: Station) -> None:
    station.handler(returns(1))
    good, bad, poison = queued(), queued(), queued()
    for one, crashes in ((bad, 1), (poison, 3)):
        await station.crash(one, crashes)
    assert await BatchProcessor(station.processor).process([good, again(bad), again(poison)]) == [None] * 3
    assert station.executor.batches == [[good.job.entity_id], [bad.job.entity_id]]
    assert [letter[1] for letter in station.letters.buried] == ["poison"]


async def test_the_needs_of_a_batch_are_computed_first_and_each_job_s_own(station: Station) -> None:
    station.executor.wants = {"ctr_prediction": ("hook_analysis",)}
    station.handler(returns(1))
    jobs = [queued() for _ in range(3)]

    async def hook(one: Job) -> str:
        if one.entity_id == jobs[1].job.entity_id:
            raise UnavailableError("the model's host is away")
        return "hook"

    station.handler(hook, "hook_analysis")
    held = queued(task="hook_analysis")
    held.job = other_job(
        held, entity_id=jobs[2].job.entity_id, key=f"hook_analysis:video:{jobs[2].job.entity_id}"
    ).job
    await station.store.claim([station.processor.answers.new_claim(held.job)])

    assert await BatchProcessor(station.processor).process(jobs) == [None, AWAY_AGAIN_S, NEED_AGAIN_S]
    assert station.executor.batches == [[jobs[0].job.entity_id]]
    envelope = await station.envelope(jobs[0], "hook_analysis")
    assert envelope is not None
    assert envelope.result == "hook"
    assert [one.attempt for one in jobs] == [0, 0, 0]
    assert not await station.is_leased(jobs[1])
