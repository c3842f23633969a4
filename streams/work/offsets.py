"""Which offset may be committed while jobs of one partition end in any order.

For each assignment of a partition: the offsets received, in order, and those that are done. What lies before
the first unfinished one may be committed. Only offsets that were really received count, so holes from
compaction or transactions do no harm; committing the highest finished offset instead would lose jobs
(confluent parallel-consumer #826).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from streams.work.records import Partition

#: A window this full of offsets of which this many are done is held up by its first.
FULL_SHARE = 0.9
DONE_SHARE = 0.98


class PartitionOffsets:
    """One partition under one assignment."""

    __slots__ = ("_done", "_received", "committed", "epoch", "position")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self._received: deque[int] = deque()
        self._done: set[int] = set()
        #: One past the last offset before which all is done; None until there is one.
        self.position: int | None = None
        self.committed: int | None = None

    def __len__(self) -> int:
        return len(self._received)

    @property
    def finished(self) -> int:
        """Offsets that are done but wait for one before them."""
        return len(self._done)

    @property
    def head(self) -> int | None:
        """The first unfinished offset."""
        return self._received[0] if self._received else None

    def receive(self, offset: int) -> None:
        """Notes an offset before its record is handed on; raises ValueError for one out of order."""
        if self._received and offset <= self._received[-1]:
            raise ValueError(f"offset {offset} after {self._received[-1]}")
        self._received.append(offset)

    def finish(self, offset: int) -> None:
        if self.position is not None and offset < self.position:
            return
        self._done.add(offset)
        while self._received and self._received[0] in self._done:
            first = self._received.popleft()
            self._done.discard(first)
            self.position = first + 1


class OffsetTracker:
    """All partitions assigned to this worker. Used by the event loop alone."""

    def __init__(self) -> None:
        self._partitions: dict[Partition, PartitionOffsets] = {}

    def assign(self, partition: Partition, epoch: int) -> None:
        self._partitions[partition] = PartitionOffsets(epoch)

    def revoke(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._partitions.pop(partition, None)

    def receive(self, partition: Partition, epoch: int, offset: int) -> bool:
        """False for a record of an assignment that is over: it will be delivered to its new owner."""
        tracked = self._partitions.get(partition)
        if tracked is None or tracked.epoch != epoch:
            return False
        tracked.receive(offset)
        return True

    def finish(self, partition: Partition, epoch: int, offset: int) -> None:
        """Marks a record as done; without effect when its assignment is over."""
        tracked = self._partitions.get(partition)
        if tracked is not None and tracked.epoch == epoch:
            tracked.finish(offset)

    def is_current(self, partition: Partition, epoch: int) -> bool:
        tracked = self._partitions.get(partition)
        return tracked is not None and tracked.epoch == epoch

    def in_hand(self, partition: Partition) -> int:
        """Offsets received and not yet behind the commit position."""
        tracked = self._partitions.get(partition)
        return len(tracked) if tracked is not None else 0

    def fullest(self) -> int:
        return max((len(tracked) for tracked in self._partitions.values()), default=0)

    def blocked(self, window: int) -> dict[Partition, int]:
        """The first unfinished offset of partitions whose window is nearly full of finished ones."""
        return {
            partition: tracked.head
            for partition, tracked in self._partitions.items()
            if len(tracked) >= FULL_SHARE * window
            and tracked.finished >= DONE_SHARE * len(tracked)
            and tracked.head is not None
        }

    def partitions(self) -> list[Partition]:
        return list(self._partitions)

    def positions(self, partitions: Iterable[Partition] | None = None) -> dict[Partition, int]:
        """Positions that moved since they were last taken; of all partitions, or of those given."""
        chosen = self._partitions if partitions is None else partitions
        moved = {}
        for partition in chosen:
            tracked = self._partitions.get(partition)
            if tracked is not None and tracked.position not in (None, tracked.committed):
                moved[partition] = tracked.position
                tracked.committed = tracked.position
        return {partition: position for partition, position in moved.items() if position is not None}

    def forget_commit(self, partition: Partition) -> None:
        """A commit failed: the position is taken again next time."""
        tracked = self._partitions.get(partition)
        if tracked is not None:
            tracked.committed = None
