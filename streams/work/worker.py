"""The worker: what the intake brings goes through the priority queues into slots, and back as offsets."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from streams.cache.codec import TIME_DIGITS
from streams.contracts.clock import Clock, millis
from streams.contracts.errors import JobError
from streams.contracts.jobs import PRIORITIES, Job, decode_job
from streams.contracts.topics import MAX_RECORD_BYTES, RETRY_DELAYS
from streams.ops.metrics import JOBS_RESCUED, OFFSET_WINDOW, QUEUE_DEPTH, QUEUE_OLDEST
from streams.ops.service import BackgroundService
from streams.settings import Settings
from streams.work.census import KeyCensus
from streams.work.dispatch import Dispatcher
from streams.work.endings import durably
from streams.work.flow import FlowConfig, FlowControl
from streams.work.intake import Intake, worker_topics
from streams.work.letters import DUE, JobLetters
from streams.work.limits import LimitConfig, StartLimits
from streams.work.offsets import OffsetTracker
from streams.work.overload import OverloadConfig, OverloadGuard, waiting
from streams.work.processing import JobProcessor
from streams.work.queues import PriorityQueues, QueueConfig
from streams.work.records import Fetched, Partition, QueuedJob
from streams.work.retry import Wait

_log = structlog.get_logger(__name__)

#: A rebalance holds the whole group up; a job that runs longer ends without its offset.
REVOKE_GRACE_S = 3.0
#: Left of the grace period for cancelling, committing and leaving the group.
LAST_STEPS_S = 5.0
GAUGES_EVERY_S = 1.0
#: Where a job goes that holds its partition back.
RESCUE_DELAY = RETRY_DELAYS[1]


class Worker(BackgroundService):
    """Owns the tracker and the flow, and puts the dispatcher between intake and offsets."""

    def __init__(
        self, settings: Settings, processor: JobProcessor, letters: JobLetters, clock: Clock
    ) -> None:
        super().__init__()
        #: As of the last second: jobs waiting here, and how long the oldest has.
        self.waiting, self.oldest_wait_s = 0, 0.0
        self._commit_every_s = settings.commit_interval_s
        self._grace_s = settings.grace_s
        self._letters = letters
        self._clock = clock
        self._topics = settings.topics
        self._retry_prefix = f"{settings.topic_prefix}jobs.retry."
        self._window = settings.offset_window
        self._tracker = OffsetTracker()
        self._census = KeyCensus()
        processor.needs.holds = self._census.holds
        self._queues = PriorityQueues(QueueConfig(slots=settings.workers), clock)
        self._guard = OverloadGuard(OverloadConfig(age_s=settings.shed_age_s, depth=settings.shed_depth))
        self._intake = Intake(settings, worker_topics(settings.topics), self)
        self._flow = FlowControl(
            FlowConfig(high=settings.queue_high, low=settings.queue_low, window=settings.offset_window),
            settings.topics,
            self._intake,
            self._queues,
            self._tracker,
        )
        self._dispatcher = Dispatcher(
            slots=settings.workers,
            queues=self._queues,
            limits=StartLimits(_limits(settings), clock),
            guard=self._guard,
            processor=processor,
            clock=clock,
            is_ours=self._is_ours,
            on_taken=self._flow.after_take,
            on_ended=self._finish_all,
            on_left=self._census.remove,
        )
        self._draining = False
        self._quieted = False
        self._assigned = False

    async def on_start(self) -> None:
        await self._dispatcher.start()
        self.fail_with(self._dispatcher)
        self.spawn(self._commit_forever(), "commits")
        self.spawn(self._export_forever(), "gauges")
        self._intake.start()

    async def on_stop(self) -> None:
        """Drains: nothing new starts, what runs may end, the rest is handed back and costs no attempt."""
        self._draining = True
        self._intake.pause(self._tracker.partitions())
        self._dispatcher.halt(halted=True)
        self._dispatcher.drop(lambda _: True)
        await self._dispatcher.quiet(lambda _: True, max(0.0, self._grace_s - LAST_STEPS_S))
        await self._dispatcher.stop()
        self._dispatcher.export()
        self._intake.commit(self._tracker.positions())
        await self._intake.stop()

    def quiet(self, *, quieted: bool) -> None:
        """Quieted, it keeps its partitions and finishes what runs, but starts nothing: before a deploy."""
        if quieted == self._quieted or self._draining:
            return
        self._quieted = quieted
        _log.info("quieted" if quieted else "no longer quiet")
        self._dispatcher.halt(halted=quieted)

    def readiness(self) -> str | None:
        if self._draining:
            return "draining"
        if self.failed is not None and self.failed.done():
            return "a part of it has ended; the process will, too"
        return self._intake.problem() or (None if self._assigned else "no partitions assigned yet")

    @property
    def in_progress(self) -> int:
        return self._dispatcher.in_progress

    @property
    def is_quiet(self) -> bool:
        return self._quieted

    def on_batch(self, batch: Sequence[Fetched]) -> None:
        touched: set[Partition] = set()
        for record in batch:
            if self._draining or not self._tracker.receive(record.partition, record.epoch, record.offset):
                continue
            touched.add(record.partition)
            try:
                job = _read(record.value or b"")
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
        self._dispatcher.drop(lambda queued: queued.record.partition in gone)
        await self._dispatcher.quiet(lambda queued: queued.record.partition in gone, REVOKE_GRACE_S)
        positions = self._tracker.positions(partitions)
        self._tracker.revoke(partitions)
        self._flow.after_revoke(partitions)
        return positions

    def on_lost(self, partitions: Sequence[Partition]) -> None:
        gone = set(partitions)
        self._dispatcher.drop(lambda queued: queued.record.partition in gone)
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
        wait_s = self._due_in(queued.record)
        if wait_s > 0:
            self._dispatcher.put_later(queued, wait_s)
        else:
            self._dispatcher.put(queued)

    def _due_in(self, record: Fetched) -> float:
        """Seconds until a record of a retry topic is due; 0 for all others."""
        if not record.partition.topic.startswith(self._retry_prefix):
            return 0.0
        due = next((value for name, value in record.headers if name == DUE), None)
        return due_in(due, millis(self._clock.now()))

    def _is_ours(self, queued: QueuedJob) -> bool:
        record = queued.record
        return not self._draining and self._tracker.is_current(record.partition, record.epoch)

    def _finish_all(self, jobs: Sequence[QueuedJob]) -> None:
        for queued in jobs:
            record = queued.record
            self._tracker.finish(record.partition, record.epoch, record.offset)
        for partition in {queued.record.partition for queued in jobs}:
            self._flow.after_finish(partition)

    def _finish(self, record: Fetched) -> None:
        self._tracker.finish(record.partition, record.epoch, record.offset)
        self._flow.after_finish(record.partition)

    async def _bury(self, record: Fetched, message: str) -> None:
        await durably(lambda: self._letters.bury(record, "schema", message, attempts=0))
        self._finish(record)

    async def _commit_forever(self) -> None:
        while True:
            await asyncio.sleep(self._commit_every_s)
            positions = self._tracker.positions()
            if positions:
                self._intake.commit(positions)
            await self._rescue_heads()

    async def _rescue_heads(self) -> None:
        """A job that waits while all behind it is done holds its partition back: it goes to a retry topic."""
        blocked = self._tracker.blocked(self._window)
        for queued in self._dispatcher.waiting() if blocked else ():
            record = queued.record
            if blocked.get(record.partition) == record.offset:
                wait = Wait(RESCUE_DELAY.seconds, RESCUE_DELAY)
                now_ms = millis(self._clock.now())
                await durably(partial(self._letters.retry, queued, queued.attempt, wait, now_ms))
                self._dispatcher.drop(partial(operator.is_, queued))
                self._finish(record)
                JOBS_RESCUED.inc()

    async def _export_forever(self) -> None:
        while True:
            self._export()
            await asyncio.sleep(GAUGES_EVERY_S)

    def _export(self) -> None:
        self._dispatcher.export()
        now_ms = millis(self._clock.now())
        ages: dict[int, float] = {}
        for priority in PRIORITIES:
            oldest = self._queues.oldest(priority)
            ages[priority] = max(0.0, (now_ms - oldest.job.created_at) / 1000) if oldest is not None else 0.0
            QUEUE_DEPTH.labels(priority).set(self._queues.depth(priority))
            QUEUE_OLDEST.labels(priority).set(ages[priority])
        OFFSET_WINDOW.set(self._tracker.fullest())
        depths = {priority: self._queues.depth(priority) for priority in PRIORITIES}
        self.waiting, self.oldest_wait_s = sum(depths.values()), max(ages.values())
        self._guard.update(ages, waiting(depths, self._intake.lags(), self._topics))


def _read(value: bytes) -> Job:
    if len(value) > MAX_RECORD_BYTES:
        # It came compressed; neither a retry nor a dead letter could carry it.
        raise JobError(f"{len(value)} bytes; a job record has at most {MAX_RECORD_BYTES}")
    return decode_job(value)


def due_in(due: bytes | None, now_ms: int) -> float:
    """Seconds until a retry's time; 0 without one, and never longer than a retry topic's delay."""
    if due is None or not due.isdigit() or len(due) > TIME_DIGITS:
        return 0.0
    return min(max(0.0, (int(due) - now_ms) / 1000), RETRY_DELAYS[-1].seconds)


def _limits(settings: Settings) -> LimitConfig:
    return LimitConfig(
        at_once=settings.task_concurrency, per_s=settings.task_rate, user_per_s=settings.user_rate
    )
