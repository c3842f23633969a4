"""Slots, limits and ends with a real processor: whatever the handlers do, every job ends once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import pytest
from work_samples import queued
from work_station import Station

from streams.contracts.clock import SYSTEM_CLOCK
from streams.contracts.jobs import Job
from streams.contracts.outcomes import Reject, Retry, Skip
from streams.contracts.states import FINAL
from streams.work.dispatch import Dispatcher
from streams.work.limits import LimitConfig, StartLimits
from streams.work.overload import OverloadConfig, OverloadGuard
from streams.work.queues import PriorityQueues, QueueConfig
from streams.work.records import QueuedJob
from tests.support.eventually import one_turn

SLOTS = 6


class Yard:
    """A dispatcher, and what became of the jobs it was given."""

    def __init__(self, station: Station, limits: LimitConfig) -> None:
        self.ended: list[QueuedJob] = []
        self.left: list[QueuedJob] = []
        self.running = self.most = 0
        self.changed = asyncio.Event()
        self.queues = PriorityQueues(QueueConfig(slots=SLOTS), SYSTEM_CLOCK)
        self.dispatcher = Dispatcher(
            slots=SLOTS,
            queues=self.queues,
            limits=StartLimits(limits, SYSTEM_CLOCK),
            guard=OverloadGuard(OverloadConfig(age_s=1e9, depth=10**9)),
            processor=station.processor,
            clock=SYSTEM_CLOCK,
            is_ours=lambda _: True,
            on_taken=lambda _: None,
            on_ended=self.on_ended,
            on_left=self.left.extend,
        )

    def on_ended(self, jobs: Sequence[QueuedJob]) -> None:
        self.ended.extend(jobs)
        self.changed.set()

    async def all_ended(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.ended) < count:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture(params=[LimitConfig(), LimitConfig(at_once={"ctr_prediction": 2})], ids=["free", "limited"])
async def yard(request: pytest.FixtureRequest, station: Station) -> AsyncIterator[Yard]:
    one = Yard(station, request.param)
    await one.dispatcher.start()
    yield one
    await one.dispatcher.stop()


@pytest.mark.parametrize("seed", range(4))
async def test_every_job_ends_once_and_no_slot_is_lost(station: Station, yard: Yard, seed: int) -> None:
    draw = random.Random(seed)
    tried: set[str] = set()

    async def script(one: Job) -> int:
        yard.running += 1
        yard.most = max(yard.most, yard.running)
        try:
            for _ in range(draw.choice([0, 0, 0, 1, 5])):
                await one_turn()
            outcome = draw.choice([None, None, None, Skip("no"), Reject("no", reason="x"), Retry("busy")])
            if isinstance(outcome, Retry) and one.id in tried:
                outcome = None
            tried.add(one.id)
            if outcome is not None:
                raise outcome
            return 1
        finally:
            yard.running -= 1

    for task in ("ctr_prediction", "hook_analysis"):
        station.handler(script, task)
    jobs = [
        queued(draw.randint(1, 10), task=draw.choice(["ctr_prediction", "hook_analysis"])) for _ in range(60)
    ]
    for one in jobs:
        yard.dispatcher.put(one)
        if draw.random() < 0.2:
            await one_turn()
    await yard.all_ended(len(jobs))
    assert sorted(map(id, yard.ended)) == sorted(map(id, yard.left)) == sorted(map(id, jobs))
    assert {one.status for one in jobs} <= FINAL
    assert 1 < yard.most <= SLOTS
    assert (yard.dispatcher.in_progress, len(yard.queues)) == (0, 0)
    later = [queued(3) for _ in range(SLOTS)]
    for one in later:
        yard.dispatcher.put(one)
    await yard.all_ended(len(jobs) + SLOTS)


async def test_a_halted_dispatcher_starts_nothing_until_it_goes_on(station: Station, yard: Yard) -> None:
    async def script(_: Job) -> int:
        return 1

    station.handler(script)
    yard.dispatcher.halt(halted=True)
    yard.dispatcher.put(queued())
    for _ in range(5):
        await one_turn()
    assert (yard.dispatcher.in_progress, len(yard.queues)) == (0, 1)
    yard.dispatcher.halt(halted=False)
    await yard.all_ended(1)


async def test_a_stop_gives_back_what_runs(station: Station, yard: Yard) -> None:
    begun = asyncio.Event()

    async def script(_: Job) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 1

    station.handler(script)
    one = queued()
    yard.dispatcher.put(one)
    await begun.wait()
    await yard.dispatcher.stop()
    await station.finishes.submit_many([])
    assert (yard.dispatcher.in_progress, yard.ended) == (0, [])
    assert not await station.is_leased(one)
