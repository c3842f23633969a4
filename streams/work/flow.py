"""When fetching is paused and resumed: by priority between two wide marks, by partition at the offset window.

A pause throws prefetched records away (about 1,300 with our settings), so it happens on transitions only.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import PRIORITIES
from streams.contracts.topics import TopicNames
from streams.ops.metrics import QUEUE_PAUSED
from streams.work.intake import Intake
from streams.work.offsets import OffsetTracker
from streams.work.queues import PriorityQueues
from streams.work.records import Partition


class FlowConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Marks in jobs per priority, the window in records per partition."""

    high: int
    low: int
    window: int

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high or self.window < 1:
            raise ConfigurationError("0 < low mark < high mark, and a window of at least 1")


class FlowControl:
    """Used by the event loop alone."""

    def __init__(
        self,
        config: FlowConfig,
        topics: TopicNames,
        intake: Intake,
        queues: PriorityQueues,
        tracker: OffsetTracker,
    ) -> None:
        self._config = config
        self._intake = intake
        self._queues = queues
        self._tracker = tracker
        self._priority_of = {topics.jobs(p): p for p in PRIORITIES}
        self._paused_priorities: set[int] = set()
        self._paused_partitions: set[Partition] = set()

    def after_put(self, partitions: Iterable[Partition]) -> None:
        for priority in PRIORITIES:
            if priority not in self._paused_priorities and self._queues.depth(priority) >= self._config.high:
                self._paused_priorities.add(priority)
                QUEUE_PAUSED.labels(priority).set(1)
                self._intake.pause(self._of(priority))
        full = [p for p in partitions if self._is_full(p) and p not in self._paused_partitions]
        if full:
            self._paused_partitions.update(full)
            self._intake.pause(full)

    def after_take(self, priority: int) -> None:
        if priority in self._paused_priorities and self._queues.depth(priority) <= self._config.low:
            self._paused_priorities.discard(priority)
            QUEUE_PAUSED.labels(priority).set(0)
            self._intake.resume(p for p in self._of(priority) if p not in self._paused_partitions)

    def after_finish(self, partition: Partition) -> None:
        if partition not in self._paused_partitions:
            return
        if self._tracker.in_hand(partition) > self._config.window // 2:
            return
        self._paused_partitions.discard(partition)
        if self._priority_of.get(partition.topic) not in self._paused_priorities:
            self._intake.resume([partition])

    def after_assign(self, partitions: Iterable[Partition]) -> None:
        """A new assignment starts unpaused; what a full queue holds back is paused again."""
        fresh = list(partitions)
        self._paused_partitions.difference_update(fresh)
        held = [p for p in fresh if self._priority_of.get(p.topic) in self._paused_priorities]
        if held:
            self._intake.pause(held)

    def after_revoke(self, partitions: Iterable[Partition]) -> None:
        self._paused_partitions.difference_update(partitions)
        for priority in list(self._paused_priorities):
            self.after_take(priority)

    def _is_full(self, partition: Partition) -> bool:
        return self._tracker.in_hand(partition) >= self._config.window

    def _of(self, priority: int) -> list[Partition]:
        return [p for p in self._tracker.partitions() if self._priority_of.get(p.topic) == priority]
