"""Ten priority queues: strictly the highest first, with reserved slots above and relief below.

Relief keeps strict priority from becoming starvation: a queue from which nothing has started for longer than
its deadline gets the next start, at most one start in ten and one job at a time. Age of the messages does not
count: an old backlog would promote everything, and priority would collapse to first come, first served.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping

import msgspec

from streams.contracts.clock import Clock
from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import PRIORITIES, Priority
from streams.work.records import QueuedJob

#: Seconds without a start before p1 and p9 are overdue; the others lie on the line between.
SLOWEST_RELIEF_S = 60.0
FASTEST_RELIEF_S = 10.0


def default_deadlines() -> dict[int, float]:
    step = (SLOWEST_RELIEF_S - FASTEST_RELIEF_S) / (len(PRIORITIES) - 2)
    return {p: SLOWEST_RELIEF_S - (p - 1) * step for p in PRIORITIES if p < Priority.DEMAND}


class QueueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`slots` jobs run at once; `deadlines_s` by priority, infinity switches a queue's relief off."""

    slots: int
    deadlines_s: Mapping[int, float] = msgspec.field(default_factory=default_deadlines)
    #: Share of the slots kept free for priorities 9 and 10; at least one, unless there is only one.
    reserved_share: float = 0.15
    #: Strict starts between two relief starts.
    relief_every: int = 10

    def __post_init__(self) -> None:
        if self.slots < 1 or not 0 <= self.reserved_share < 1 or self.relief_every < 2:
            raise ConfigurationError("slots >= 1, 0 <= reserved_share < 1, relief_every >= 2")

    @property
    def reserved(self) -> int:
        return 0 if self.slots == 1 else max(1, math.floor(self.slots * self.reserved_share))


class PriorityQueues:
    """Holds queued jobs and decides which starts next. Used by the event loop alone."""

    def __init__(self, config: QueueConfig, clock: Clock) -> None:
        self._config = config
        self._unreserved = config.slots - config.reserved
        self._clock = clock
        self._queues: dict[int, deque[QueuedJob]] = {p: deque() for p in reversed(PRIORITIES)}
        #: Since when a queue has waited for a start: its last one, or when it stopped being empty.
        self._waiting_since: dict[int, float] = {}
        self._running_urgent = 0
        self._running_other = 0
        self._running_relief: set[int] = set()
        self._starts_since_relief = 0
        #: No queue can be overdue before: saves a look at all of them for each start.
        self._none_due_before = -math.inf

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def depth(self, priority: int) -> int:
        return len(self._queues[priority])

    def oldest(self, priority: int) -> QueuedJob | None:
        queue = self._queues[priority]
        return queue[0] if queue else None

    def put(self, queued: QueuedJob) -> None:
        queue = self._queues[queued.job.priority]
        if not queue:
            self._begin_waiting(queued.job.priority)
        queue.append(queued)

    def put_first(self, queued: QueuedJob) -> None:
        """Back to the head of its queue: it had its turn and was held up by a limit."""
        queue = self._queues[queued.job.priority]
        if not queue:
            self._begin_waiting(queued.job.priority)
        queue.appendleft(queued)

    def _begin_waiting(self, priority: int) -> None:
        now = self._clock.monotonic()
        self._waiting_since[priority] = now
        due = now + self._config.deadlines_s.get(priority, math.inf)
        self._none_due_before = min(self._none_due_before, due)

    def take_mates(self, first: QueuedJob, most: int) -> list[QueuedJob]:
        """Jobs of the same task and priority that are next anyway; they share the first one's slot."""
        queue = self._queues[first.job.priority]
        mates: list[QueuedJob] = []
        while len(mates) < most and queue and queue[0].job.task == first.job.task:
            mates.append(queue.popleft())
        return mates

    def take(self) -> QueuedJob | None:
        """The job to start now, or None where nothing waits that a free slot may run."""
        if self._free() <= 0:
            return None
        unreserved = self._running_other < self._unreserved
        # Before everything else: a steady load of urgent jobs must not starve the rest either.
        overdue = self._overdue() if unreserved else None
        if overdue is not None:
            queued = self._start(overdue)
            self._running_relief.add(id(queued))
            self._starts_since_relief = 0
            return queued
        highest = self._highest(PRIORITIES.start if unreserved else Priority.OPERATOR)
        if highest is None:
            return None
        self._starts_since_relief += 1
        return self._start(highest)

    def finished(self, queued: QueuedJob) -> None:
        """Frees the slot that `take` filled."""
        if queued.job.priority >= Priority.OPERATOR:
            self._running_urgent -= 1
        else:
            self._running_other -= 1
        self._running_relief.discard(id(queued))

    def drop(self, unwanted: Callable[[QueuedJob], bool]) -> list[QueuedJob]:
        """Removes waiting jobs: those of revoked partitions, or all of them."""
        dropped: list[QueuedJob] = []
        for priority in PRIORITIES:
            queue = self._queues[priority]
            kept: deque[QueuedJob] = deque()
            for queued in queue:
                (dropped if unwanted(queued) else kept).append(queued)
            self._queues[priority] = kept
        return dropped

    def __iter__(self) -> Iterator[QueuedJob]:
        for queue in self._queues.values():
            yield from queue

    def _free(self) -> int:
        return self._config.slots - self._running_urgent - self._running_other

    def _highest(self, least: int) -> int | None:
        """The highest priority that has a job, from `least` on."""
        for priority, queue in self._queues.items():
            if priority < least:
                return None
            if queue:
                return priority
        return None

    def _overdue(self) -> int | None:
        """The queue longest past its deadline, if relief is allowed now."""
        if self._running_relief or self._starts_since_relief < self._config.relief_every - 1:
            return None
        now = self._clock.monotonic()
        if now < self._none_due_before:
            return None
        due = {
            p: self._waiting_since[p] + deadline
            for p, deadline in self._config.deadlines_s.items()
            if self._queues[p]
        }
        first = min(due, key=lambda p: due[p], default=None)
        if first is None or due[first] > now:
            self._none_due_before = math.inf if first is None else due[first]
            return None
        return first

    def _start(self, priority: int) -> QueuedJob:
        queued = self._queues[priority].popleft()
        self._waiting_since[priority] = self._clock.monotonic()
        if priority >= Priority.OPERATOR:
            self._running_urgent += 1
        else:
            self._running_other += 1
        return queued
