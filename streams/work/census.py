"""Which keys have a job in this worker's hands, waiting, delayed or running."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from streams.contracts.jobs import PRIORITIES
from streams.work.records import QueuedJob


class KeyCensus:
    """Used by the event loop alone."""

    def __init__(self) -> None:
        self._keys: Counter[tuple[str, int]] = Counter()

    def add(self, queued: QueuedJob) -> None:
        self._keys[queued.job.key, queued.job.priority] += 1

    def remove(self, gone: Iterable[QueuedJob]) -> None:
        for queued in gone:
            place = (queued.job.key, queued.job.priority)
            self._keys[place] -= 1
            if not self._keys[place]:
                del self._keys[place]

    def holds(self, key: str, at_least: int) -> bool:
        """Whether a job of that key and at least that priority is here."""
        return any((key, priority) in self._keys for priority in range(at_least, PRIORITIES.stop))
