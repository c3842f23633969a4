"""Starts jobs: the slots, what may start in them, and what waits for its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from streams.contracts.clock import Clock
from streams.contracts.states import Reason
from streams.ops.children import Children
from streams.ops.metrics import JOBS_IN_PROGRESS, JOBS_PARKED, SLOTS
from streams.ops.service import BackgroundService, end_tasks
from streams.work.batch import BatchProcessor
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

    `on_taken(priority)` hears of each job that left its queue; `on_ended(queued)` of each whose offset may
    move; `on_left(queued)` of each that is in nobody's hands here any more.
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
        on_ended: Callable[[QueuedJob], None],
        on_left: Callable[[QueuedJob], None],
    ) -> None:
        super().__init__()
        self._count = slots
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
        self._slots: list[asyncio.Task[None]] = []
        self._idle: list[asyncio.Future[None]] = []
        self._running: dict[int, QueuedJob] = {}
        self._changed = asyncio.Event()
        self._halted = False

    async def on_start(self) -> None:
        SLOTS.set(self._count)
        await self._delays.start()
        self._slots = [self.spawn(self._slot(), f"slot-{n}") for n in range(self._count)]

    async def on_stop(self) -> None:
        await self._delays.stop()
        await end_tasks(self._slots)

    @property
    def in_progress(self) -> int:
        return len(self._running)

    def put(self, queued: QueuedJob) -> None:
        self._queues.put(queued)
        self._wake_one()

    def put_later(self, queued: QueuedJob, seconds: float) -> None:
        self._delays.put(queued, seconds)

    def halt(self, *, halted: bool) -> None:
        """While halted nothing starts; what runs goes on."""
        self._halted = halted
        if not halted:
            for _ in range(len(self._idle)):
                self._wake_one()

    def waiting(self) -> list[QueuedJob]:
        """Every job here that does not run."""
        return [*self._queues, *self._delays.waiting(), *self._limits.parked()]

    def drop(self, unwanted: Callable[[QueuedJob], bool]) -> None:
        """Forgets waiting jobs: their partitions are somebody else's now, or the process ends."""
        parked = {id(queued) for queued in self._limits.parked() if unwanted(queued)}
        unparked = self._limits.drop(parked)
        JOBS_PARKED.dec(len(unparked))
        dropped = [*self._queues.drop(unwanted), *self._delays.drop(unwanted), *unparked]
        for queued in dropped:
            self._on_left(queued)

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

    def _wake_one(self) -> None:
        while self._idle:
            future = self._idle.pop()
            if not future.done():
                future.set_result(None)
                return

    async def _slot(self) -> None:
        while True:
            queued = None if self._halted else self._queues.take()
            if queued is None:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._idle.append(future)
                await future
                continue
            self._on_taken(queued.job.priority)
            try:
                if self._may_start(queued):
                    await self._occupy(queued)
            finally:
                self._queues.finished(queued)

    def _may_start(self, queued: QueuedJob) -> bool:
        """False where the job was shed, or waits for one of its limits."""
        if self._guard.sheds(queued.job):
            self._processor.skip(queued, Reason.SHED)
            self._end(queued, None)
            return False
        if self._limits.park(queued):
            JOBS_PARKED.inc()
            return False
        wait_s = self._limits.wait_s(queued)
        if wait_s > 0:
            self._delays.put(queued, wait_s)
            return False
        return True

    async def _occupy(self, queued: QueuedJob) -> None:
        size = self._processor.batch_size(queued.job.task)
        batch = [queued, *self._queues.take_mates(queued, size - 1)] if size > 1 else [queued]
        self._limits.started(queued)
        gauge = _in_progress(queued.job.task)
        gauge.inc()
        for one in batch:
            self._running[id(one)] = one
        try:
            if size > 1:
                for one, again_s in zip(batch, await self._batches.process(batch), strict=True):
                    self._end(one, again_s)
            else:
                self._end(queued, await self._processor.process(queued))
        finally:
            gauge.dec()
            for one in batch:
                self._running.pop(id(one), None)
            self._release(queued)
            self._changed.set()

    def _release(self, queued: QueuedJob) -> None:
        parked = self._limits.ended(queued)
        if parked is not None:
            JOBS_PARKED.dec()
            self._queues.put_first(parked)
            self._wake_one()

    def _end(self, queued: QueuedJob, again_s: float | None) -> None:
        if again_s is not None and self._is_ours(queued):
            self._delays.put(queued, again_s)
            return
        self._on_left(queued)
        if again_s is None:
            self._on_ended(queued)
