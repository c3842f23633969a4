"""Queues and offsets together: whatever order jobs arrive, start, end and are revoked in, none is lost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from work_samples import partition, queued

from streams.contracts.clock import ManualClock
from streams.contracts.jobs import Priority
from streams.work.offsets import OffsetTracker
from streams.work.queues import PriorityQueues, QueueConfig
from streams.work.records import QueuedJob

SLOTS = 3
PARTITIONS = [partition(0), partition(1)]


class Dispatching(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.queues = PriorityQueues(QueueConfig(slots=SLOTS), self.clock)
        self.tracker = OffsetTracker()
        self.epoch = 0
        self.offsets = dict.fromkeys(PARTITIONS, 0)
        #: Offsets of the present assignment that have not ended, in order.
        self.open: dict[object, list[int]] = {}
        self.running: list[QueuedJob] = []
        self.waiting = 0
        self.starts_since_relief = 0
        for one in PARTITIONS:
            self.assign(one)

    def assign(self, where: object) -> None:
        self.epoch += 1
        self.tracker.assign(where, self.epoch)  # type: ignore[arg-type]
        self.open[where] = []

    @rule(where=st.sampled_from(PARTITIONS), priority=st.integers(1, 10))
    def arrive(self, where: object, priority: int) -> None:
        offset = self.offsets[where]  # type: ignore[index]
        self.offsets[where] = offset + 1  # type: ignore[index]
        epoch = self.tracker._partitions[where].epoch  # type: ignore[index]
        assert self.tracker.receive(where, epoch, offset)  # type: ignore[arg-type]
        self.open[where].append(offset)
        self.queues.put(queued(priority, at=where, epoch=epoch, offset=offset))  # type: ignore[arg-type]
        self.waiting += 1

    @rule(seconds=st.sampled_from([0.1, 1.0, 20.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def start(self) -> None:
        highest = max((one.job.priority for one in self.queues), default=0)
        others = sum(one.job.priority < Priority.OPERATOR for one in self.running)
        found = self.queues.take()
        if found is None:
            free = SLOTS - len(self.running)
            assert not highest or free == 0 or (highest < Priority.OPERATOR and others >= SLOTS - 1)
            return
        self.waiting -= 1
        self.running.append(found)
        if found.job.priority < highest:
            assert self.starts_since_relief >= 9, "an inversion that is no relief"
            self.starts_since_relief = 0
        else:
            self.starts_since_relief += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.running))
        self.running.remove(one)
        self.queues.finished(one)
        record = one.record
        if self.tracker.is_current(record.partition, record.epoch):
            self.open[record.partition].remove(record.offset)
        self.tracker.finish(record.partition, record.epoch, record.offset)

    @rule(where=st.sampled_from(PARTITIONS))
    def rebalance(self, where: object) -> None:
        """The partition goes and comes back: what was not committed is delivered again."""
        dropped = self.queues.drop(lambda one: one.record.partition == where)
        self.waiting -= len(dropped)
        unfinished = self.open[where]
        if unfinished:
            self.offsets[where] = unfinished[0]  # type: ignore[index]
        self.tracker.revoke([where])  # type: ignore[list-item]
        self.assign(where)

    @invariant()
    def slots_are_never_overrun(self) -> None:
        assert len(self.running) <= SLOTS
        assert sum(one.job.priority < Priority.OPERATOR for one in self.running) <= SLOTS - 1

    @invariant()
    def every_job_is_somewhere(self) -> None:
        assert len(self.queues) == self.waiting
        for where in PARTITIONS:
            here = {
                one.record.offset for one in (*self.queues, *self.running) if self._is_current(one, where)
            }
            assert here == set(self.open[where])

    @invariant()
    def nothing_open_is_committed(self) -> None:
        for where in PARTITIONS:
            position = self.tracker._partitions[where].position
            assert position is None or not self.open[where] or position <= self.open[where][0]

    def _is_current(self, one: QueuedJob, where: object) -> bool:
        return one.record.partition == where and self.tracker.is_current(
            one.record.partition, one.record.epoch
        )


TestDispatching = Dispatching.TestCase
TestDispatching.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
