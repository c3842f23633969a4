"""Which keys have a job in this worker's hands, waiting, delayed or running."""

from __future__ import annotations

from collections.abc import Iterable

from streams.contracts.jobs import PRIORITIES
from streams.work.records import QueuedJob


class KeyCensus:
    """Used by the event loop alone."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, int], int] = {}

    def add(self, queued: QueuedJob) -> None:
        place = (queued.job.key, queued.job.priority)
        self._keys[place] = self._keys.get(place, 0) + 1

    def remove(self, gone: Iterable[QueuedJob]) -> None:
        for queued in gone:
            place = (queued.job.key, queued.job.priority)
            left = self._keys.pop(place) - 1
            if left:
                self._keys[place] = left

    def holds(self, key: str, at_least: int) -> bool:
        """Whether a job of that key and at least that priority is here."""
        return any((key, priority) in self._keys for priority in range(at_least, PRIORITIES.stop))
