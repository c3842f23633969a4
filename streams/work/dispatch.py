"""Starts jobs: the slots, what may start in them, and what waits for its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from streams.contracts.clock import Clock
from streams.contracts.states import Reason
from streams.ops.children import Children
from streams.ops.metrics import JOBS_IN_PROGRESS, JOBS_PARKED, SLOTS
from streams.ops.service import BackgroundService, end_tasks
from streams.ops.tracing import TRACING
from streams.work.batch import BatchProcessor
from streams.work.convoy import Convoy
from streams.work.delays import DelayQueue
from streams.work.limits import StartLimits
from streams.work.overload import OverloadGuard
from streams.work.processing import JobProcessor
from streams.work.queues import PriorityQueues
from streams.work.records import QueuedJob

_log = structlog.get_logger(__name__)

_in_progress = Children(JOBS_IN_PROGRESS)


class Dispatcher(BackgroundService):
    """Owns the queues and the slots; all of it in the event loop.

    `on_taken(priority)` hears of each job that left its queue; `on_ended(jobs)` of those whose offsets
    may move; `on_left(jobs)` of those that are in nobody's hands here any more.
    """

    def __init__(
        self,
        *,
        slots: int,
        queues: PriorityQueues,
        limits: StartLimits,
        guard: OverloadGuard,
        processor: JobProcessor,
        clock: Clock,
        is_ours: Callable[[QueuedJob], bool],
        on_taken: Callable[[int], None],
        on_ended: Callable[[Sequence[QueuedJob]], None],
        on_left: Callable[[Sequence[QueuedJob]], None],
    ) -> None:
        super().__init__()
        self._count = slots
        self._most = max(1, slots // 2)
        self._queues = queues
        self._limits = limits
        self._guard = guard
        self._processor = processor
        self._batches = BatchProcessor(processor)
        self._delays = DelayQueue(self.put, clock)
        self._is_ours = is_ours
        self._on_taken = on_taken
        self._on_ended = on_ended
        self._on_left = on_left
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._running: dict[int, QueuedJob] = {}
        self._changed = asyncio.Event()
        self._halted = False

    async def on_start(self) -> None:
        SLOTS.set(self._count)
        await self._delays.start()
        self.fail_with(self._delays)
        self.spawn(self._start_forever(), "dispatch")

    async def on_stop(self) -> None:
        self.halt(halted=True)
        await self._delays.stop()
        await end_tasks(list(self._tasks))

    @property
    def in_progress(self) -> int:
        return len(self._running)

    def put(self, queued: QueuedJob) -> None:
        self._queues.put(queued)
        self._wake.set()

    def put_later(self, queued: QueuedJob, seconds: float) -> None:
        self._delays.put(queued, seconds)

    def halt(self, *, halted: bool) -> None:
        """While halted nothing starts; what runs goes on."""
        self._halted = halted
        self._wake.set()

    def waiting(self) -> list[QueuedJob]:
        """Every job here that does not run."""
        return [*self._queues, *self._delays.waiting(), *self._limits.parked()]

    def drop(self, unwanted: Callable[[QueuedJob], bool]) -> None:
        """Forgets waiting jobs: their partitions are somebody else's now, or the process ends."""
        parked = {id(queued) for queued in self._limits.parked() if unwanted(queued)}
        unparked = self._limits.drop(parked)
        JOBS_PARKED.dec(len(unparked))
        dropped = [*self._queues.drop(unwanted), *self._delays.drop(unwanted), *unparked]
        self._on_left(dropped)

    async def quiet(self, concerned: Callable[[QueuedJob], bool], within_s: float) -> None:
        """Waits until none of the concerned jobs runs, or the time is over."""
        try:
            async with asyncio.timeout(within_s):
                while any(concerned(queued) for queued in self._running.values()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            left = sum(concerned(queued) for queued in self._running.values())
            _log.warning("jobs still run", count=left)

    def export(self) -> None:
        """Brings the metrics up to date."""
        for task, count in self._limits.running().items():
            _in_progress(task).set(count)
        self._processor.flush()

    async def _start_forever(self) -> None:
        """One task starts all: jobs that arrive, or whose slots get free, in the same moment go together."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while not self._halted and (together := self._take()):
                self._run(self._travel(together), "jobs")
                # Their claims are sent now: with the next ones' they would all wait for Redis together.
                await asyncio.sleep(0)

    def _take(self) -> list[QueuedJob]:
        """The next jobs that may start, for half of the slots: one half computes, the other writes."""
        together: list[QueuedJob] = []
        # A trace follows one job through its round trips.
        most = 1 if TRACING.on else self._most
        while len(together) < most and (queued := self._queues.take()) is not None:
            self._on_taken(queued.job.priority)
            if not self._may_start(queued):
                self._queues.finished(queued)
                continue
            self._limits.started(queued)
            size = self._processor.batch_size(queued.job.task)
            if size == 1:
                self._running[id(queued)] = queued
                together.append(queued)
                continue
            batch = [queued, *self._queues.take_mates(queued, size - 1)]
            self._running.update((id(one), one) for one in batch)
            self._run(self._batch(batch), "batch")
        return together

    def _run(self, coroutine: Coroutine[Any, Any, None], name: str = "job") -> asyncio.Task[None]:
        task = self.spawn(coroutine, name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _travel(self, together: list[QueuedJob]) -> None:
        convoy = Convoy(self._processor, self._run, self._leave, self._give_up)
        if not TRACING.on:
            await convoy.run(together)
            return
        (queued,) = together
        with TRACING.job(queued.job, queued.record.headers) as span:
            await convoy.run(together)
            span.note(status=queued.status.value, attempt=queued.attempt)

    def _leave(self, jobs: Sequence[QueuedJob], again_s: float | None) -> None:
        for queued in jobs:
            self._running.pop(id(queued), None)
            self._free(queued)
        self._look_again()
        self._end(jobs, again_s)

    def _give_up(self, queued: QueuedJob) -> None:
        self._running.pop(id(queued), None)
        self._free(queued)
        self._look_again()

    async def _batch(self, batch: list[QueuedJob]) -> None:
        try:
            ends = await self._batches.process(batch)
        finally:
            for one in batch:
                self._running.pop(id(one), None)
            # The first one's slot is the whole batch's.
            self._free(batch[0])
            self._look_again()
        self._end([one for one, again_s in zip(batch, ends, strict=True) if again_s is None], None)
        for one, again_s in zip(batch, ends, strict=True):
            if again_s is not None:
                self._end([one], again_s)

    def _free(self, queued: QueuedJob) -> None:
        """Its slot is free, and so is its place among those of its task type."""
        self._queues.finished(queued)
        parked = self._limits.ended(queued)
        if parked is not None:
            JOBS_PARKED.dec()
            self._queues.put_first(parked)

    def _look_again(self) -> None:
        """Something ended: slots may be free, and nothing may run any more."""
        self._changed.set()
        self._wake.set()

    def _may_start(self, queued: QueuedJob) -> bool:
        """False where the job was shed, or waits for one of its limits."""
        if self._guard.sheds(queued.job):
            self._processor.skip(queued, Reason.SHED)
            self._end([queued], None)
            return False
        if not self._limits.are_set:
            return True
        if self._limits.park(queued):
            JOBS_PARKED.inc()
            return False
        wait_s = self._limits.wait_s(queued)
        if wait_s > 0:
            self._delays.put(queued, wait_s)
            return False
        return True

    def _end(self, jobs: Sequence[QueuedJob], again_s: float | None) -> None:
        if again_s is None:
            self._on_left(jobs)
            self._on_ended(jobs)
            return
        for queued in jobs:
            if self._is_ours(queued):
                self._delays.put(queued, again_s)
            else:
                self._on_left([queued])
