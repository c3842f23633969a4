"""Jobs that start together share round trips; whatever one of them does, the others keep their own ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from work_samples import queued
from work_station import Station, again, returns

from handlers.execution import HandlerError
from streams.contracts.jobs import Job
from streams.contracts.states import Status
from streams.work.convoy import Convoy
from streams.work.records import QueuedJob


class Road:
    """Runs convoys as the dispatcher does, and keeps what it hears."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.tasks: set[asyncio.Task[None]] = set()
        self.ended: list[QueuedJob] = []
        self.again: list[QueuedJob] = []
        self.given_up: list[QueuedJob] = []
        self.changed = asyncio.Event()
        self.calls: list[tuple[str, int]] = []
        for name in ("claim", "finish"):
            self._count(name)

    def start(self, *jobs: QueuedJob) -> asyncio.Task[None]:
        convoy = Convoy(self.station.processor, self.spawn, self.on_end, self.given_up.append)
        return self.spawn(convoy.run(jobs))

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        return task

    def on_end(self, jobs: Any, again_s: float | None) -> None:
        (self.ended if again_s is None else self.again).extend(jobs)
        self.changed.set()

    async def heard(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.ended) < count:
                self.changed.clear()
                await self.changed.wait()

    async def arrive(self) -> None:
        while left := [task for task in self.tasks if not task.done()]:
            await asyncio.gather(*left)

    async def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    def _count(self, name: str) -> None:
        batcher = self.station.claims if name == "claim" else self.station.finishes
        send = getattr(self.station.store, name)

        async def counted(items: Any) -> Any:
            self.calls.append((name, len(items)))
            return await send(items)

        batcher._send = counted  # type: ignore[assignment]


@pytest.fixture
def road(station: Station) -> Road:
    return Road(station)


async def status_of(station: Station, one: QueuedJob) -> Status:
    return (await station.record(one)).status


async def starts_of(station: Station, one: QueuedJob) -> int:
    (grant,) = await station.store.claim([station.processor.answers.new_claim(one.job)])
    assert grant.verdict == "run"
    return grant.number


async def test_jobs_that_answer_at_once_share_their_round_trips(station: Station, road: Road) -> None:
    station.handler(returns(1))
    jobs = [queued() for _ in range(20)]
    road.start(*jobs)
    await road.arrive()
    assert road.calls == [("claim", 20), ("finish", 20)]
    assert road.ended == jobs
    assert len(road.tasks) == 1
    assert {await status_of(station, one) for one in jobs} == {Status.COMPLETED}


async def test_one_that_waits_holds_nobody_up(station: Station, road: Road) -> None:
    go_on = asyncio.Event()
    jobs = [queued() for _ in range(5)]

    async def script(one: Job) -> int:
        if one.id in (jobs[1].job.id, jobs[3].job.id):
            await go_on.wait()
        return 1

    station.handler(script)
    road.start(*jobs)
    await road.heard(3)
    assert road.ended == [jobs[0], jobs[2], jobs[4]]
    go_on.set()
    await road.arrive()
    assert len(road.ended) == 5


async def test_a_handler_lives_in_one_task_and_its_timers_are_its_own(station: Station, road: Road) -> None:
    seen: dict[str, set[object]] = {}

    async def script(one: Job) -> int:
        tasks = seen.setdefault(one.id, set())
        tasks.add(asyncio.current_task())
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            tasks.add(asyncio.current_task())
        return 1

    station.handler(script)
    jobs = [queued() for _ in range(3)]
    road.start(*jobs)
    await road.arrive()
    assert sorted(one.job.id for one in road.ended) == sorted(seen)
    assert [len(tasks) for tasks in seen.values()] == [1, 1, 1]
    assert len(set.union(*seen.values())) == 3


async def test_an_outcome_is_its_own_job_s_alone(station: Station, road: Road) -> None:
    jobs = [queued() for _ in range(3)]

    async def script(one: Job) -> int:
        if one.id == jobs[1].job.id:
            raise HandlerError("bug")
        return 1

    station.handler(script)
    road.start(*jobs)
    await road.arrive()
    assert (road.ended, road.again) == ([jobs[0], jobs[2]], [jobs[1]])
    assert [one.attempt for one in jobs] == [0, 1, 0]


async def test_who_may_have_taken_a_process_down_runs_when_the_others_are_written(
    station: Station, road: Road
) -> None:
    suspect, good = queued(), queued()
    await station.crash(suspect, 2)
    written: list[bool] = []

    async def script(one: Job) -> int:
        if one.id == suspect.job.id:
            written.append(await station.envelope(good) is not None)
        return 1

    station.handler(script)
    road.start(suspect, good)
    await road.arrive()
    assert written == [True]


async def test_a_cancelled_convoy_gives_everything_back_and_no_start_is_counted(
    station: Station, road: Road
) -> None:
    begun = asyncio.Event()
    jobs = [queued() for _ in range(4)]

    async def script(one: Job) -> int:
        if one.id == jobs[1].job.id:
            begun.set()
            await asyncio.Event().wait()
        return 1

    station.handler(script)
    road.start(*jobs)
    await begun.wait()
    # The rest is in a task that has not taken its first step.
    await road.cancel()
    await station.finishes.submit_many([])
    assert sorted(map(id, road.given_up)) == sorted(map(id, jobs))
    assert not road.ended
    assert [await starts_of(station, one) for one in jobs] == [1, 1, 1, 1]
    assert {one.status for one in jobs} == {Status.QUEUED}


async def test_a_bug_counts_against_its_own_job_alone(station: Station, road: Road) -> None:
    jobs = [queued() for _ in range(3)]

    async def script(one: Job) -> int:
        if one.id == jobs[1].job.id:
            raise TypeError("a bug of ours")
        return 1

    station.handler(script)
    with pytest.raises(TypeError):
        await road.start(*jobs)
    await station.finishes.submit_many([])
    assert sorted(map(id, road.given_up)) == sorted(map(id, jobs))
    await station.lose_lease(jobs[1])
    assert [await starts_of(station, one) for one in map(again, jobs)] == [1, 2, 1]
