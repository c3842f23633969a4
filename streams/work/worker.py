"""The worker: what the intake brings goes through the priority queues into slots, and back as offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog

from streams.contracts.clock import Clock, millis
from streams.contracts.errors import JobError, UnavailableError
from streams.contracts.jobs import PRIORITIES, decode_job
from streams.ops.children import Children
from streams.ops.metrics import (
    JOBS_IN_PROGRESS,
    OFFSET_WINDOW,
    QUEUE_DEPTH,
    QUEUE_OLDEST,
    SLOTS,
)
from streams.ops.service import BackgroundService
from streams.settings import Settings
from streams.work.census import KeyCensus
from streams.work.delays import DelayQueue
from streams.work.flow import FlowConfig, FlowControl
from streams.work.intake import Intake, worker_topics
from streams.work.letters import DUE, JobLetters
from streams.work.offsets import OffsetTracker
from streams.work.processing import JobProcessor
from streams.work.queues import PriorityQueues, QueueConfig
from streams.work.records import Fetched, Partition, QueuedJob

_log = structlog.get_logger(__name__)

#: A rebalance holds the whole group up; a job that runs longer ends without its offset.
REVOKE_GRACE_S = 3.0
#: Left of the grace period for cancelling, committing and leaving the group.
LAST_STEPS_S = 5.0
GAUGES_EVERY_S = 1.0

_in_progress = Children(JOBS_IN_PROGRESS)


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    slots: int
    commit_interval_s: float
    grace_s: float


class Worker(BackgroundService):
    """Owns the queues, the tracker and the slots; all of it in the event loop."""

    def __init__(
        self, settings: Settings, processor: JobProcessor, letters: JobLetters, clock: Clock
    ) -> None:
        super().__init__()
        self._config = WorkerConfig(
            slots=settings.workers,
            commit_interval_s=settings.commit_interval_s,
            grace_s=settings.grace_s,
        )
        self._processor = processor
        self._census = KeyCensus()
        processor.holds = self._census.holds
        self._letters = letters
        self._clock = clock
        self._retry_prefix = f"{settings.topic_prefix}jobs.retry."
        self._tracker = OffsetTracker()
        self._queues = PriorityQueues(QueueConfig(slots=settings.workers), clock)
        self._delays = DelayQueue(self._enqueue, clock)
        self._intake = Intake(settings, worker_topics(settings.topics), self)
        self._flow = FlowControl(
            FlowConfig(high=settings.queue_high, low=settings.queue_low, window=settings.offset_window),
            settings.topics,
            self._intake,
            self._queues,
            self._tracker,
        )
        self._idle: list[asyncio.Future[None]] = []
        self._in_hand: set[QueuedJob] = set()
        self._slots: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()
        self._draining = False
        self._assigned = False

    async def on_start(self) -> None:
        SLOTS.set(self._config.slots)
        await self._delays.start()
        self._slots = [self.spawn(self._slot(), f"slot-{n}") for n in range(self._config.slots)]
        self.spawn(self._commit_forever(), "commits")
        self.spawn(self._export_forever(), "gauges")
        self._intake.start()

    async def on_stop(self) -> None:
        """Drains: nothing new starts, what runs may end, the rest is handed back and costs no attempt."""
        self._draining = True
        self._intake.pause(self._tracker.partitions())
        self._queues.drop(lambda _: True)
        await self._delays.stop()
        await self._quiet(lambda _: True, max(0.0, self._config.grace_s - LAST_STEPS_S))
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        self._intake.commit(self._tracker.positions())
        await self._intake.stop()

    def readiness(self) -> str | None:
        if self._draining:
            return "draining"
        return None if self._assigned else "no partitions assigned yet"

    @property
    def in_progress(self) -> int:
        return len(self._in_hand)

    def on_batch(self, batch: Sequence[Fetched]) -> None:
        touched: set[Partition] = set()
        for record in batch:
            if self._draining or not self._tracker.receive(record.partition, record.epoch, record.offset):
                continue
            touched.add(record.partition)
            try:
                job = decode_job(record.value or b"")
            except JobError as exc:
                self.spawn(self._bury(record, str(exc)), "bury")
                continue
            queued = QueuedJob(job, record, job.attempt)
            self._census.add(queued)
            self._accept(queued)
        self._flow.after_put(touched)

    def on_assigned(self, partitions: Mapping[Partition, int]) -> None:
        for partition, epoch in partitions.items():
            self._tracker.assign(partition, epoch)
        self._flow.after_assign(partitions)
        self._assigned = True
        if self._draining:
            self._intake.pause(partitions)

    async def on_revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        gone = set(partitions)
        self._drop_waiting(gone)
        await self._quiet(lambda queued: queued.record.partition in gone, REVOKE_GRACE_S)
        positions = self._tracker.positions(partitions)
        self._tracker.revoke(partitions)
        self._flow.after_revoke(partitions)
        return positions

    def on_lost(self, partitions: Sequence[Partition]) -> None:
        self._drop_waiting(set(partitions))
        self._tracker.revoke(partitions)
        self._flow.after_revoke(partitions)

    def on_commit_failed(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            self._tracker.forget_commit(partition)

    def on_ended(self, error: BaseException | None) -> None:
        if error is not None and self.failed is not None and not self.failed.done():
            _log.error("the consumer ended", error=str(error))
            self.failed.set_result(error)

    def _accept(self, queued: QueuedJob) -> None:
        if queued.record.partition.topic.startswith(self._retry_prefix):
            due = next((value for name, value in queued.record.headers if name == DUE), None)
            wait = (int(due) - millis(self._clock.now())) / 1000 if due and due.isdigit() else 0.0
            if wait > 0:
                self._delays.put(queued, wait)
                return
        self._enqueue(queued)

    def _enqueue(self, queued: QueuedJob) -> None:
        self._queues.put(queued)
        while self._idle:
            future = self._idle.pop()
            if not future.done():
                future.set_result(None)
                return

    def _drop_waiting(self, gone: set[Partition]) -> None:
        def unwanted(queued: QueuedJob) -> bool:
            return queued.record.partition in gone

        self._census.remove(self._queues.drop(unwanted))
        self._census.remove(self._delays.drop(unwanted))

    async def _slot(self) -> None:
        while True:
            queued = None if self._draining else self._queues.take()
            if queued is None:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._idle.append(future)
                await future
                continue
            self._flow.after_take(queued.job.priority)
            await self._occupy(queued)

    async def _occupy(self, queued: QueuedJob) -> None:
        gauge = _in_progress(queued.job.task)
        gauge.inc()
        self._in_hand.add(queued)
        try:
            again_s = await self._processor.process(queued)
        finally:
            gauge.dec()
            self._in_hand.discard(queued)
            self._queues.finished(queued)
        if again_s is not None and self._is_ours(queued.record):
            self._delays.put(queued, again_s)
        else:
            self._census.remove([queued])
        if again_s is None:
            self._finish(queued.record)
        self._ended.set()

    def _is_ours(self, record: Fetched) -> bool:
        return not self._draining and self._tracker.is_current(record.partition, record.epoch)

    def _finish(self, record: Fetched) -> None:
        self._tracker.finish(record.partition, record.epoch, record.offset)
        self._flow.after_finish(record.partition)

    async def _bury(self, record: Fetched, message: str) -> None:
        while True:
            try:
                await self._letters.bury(record, "schema", message, attempts=0)
            except UnavailableError:
                await asyncio.sleep(1.0)
            else:
                break
        self._finish(record)

    async def _quiet(self, concerned: Callable[[QueuedJob], bool], within_s: float) -> None:
        """Waits until none of the concerned jobs runs, or the time is over."""
        try:
            async with asyncio.timeout(within_s):
                while any(concerned(queued) for queued in self._in_hand):
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            _log.warning("jobs still run", count=sum(concerned(queued) for queued in self._in_hand))

    async def _commit_forever(self) -> None:
        while True:
            await asyncio.sleep(self._config.commit_interval_s)
            positions = self._tracker.positions()
            if positions:
                self._intake.commit(positions)

    async def _export_forever(self) -> None:
        while True:
            now_ms = millis(self._clock.now())
            for priority in PRIORITIES:
                oldest = self._queues.oldest(priority)
                age = (now_ms - oldest.job.created_at) / 1000 if oldest is not None else 0.0
                QUEUE_DEPTH.labels(priority).set(self._queues.depth(priority))
                QUEUE_OLDEST.labels(priority).set(max(0.0, age))
            OFFSET_WINDOW.set(self._tracker.fullest())
            await asyncio.sleep(GAUGES_EVERY_S)
