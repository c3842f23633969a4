"""Jobs that wait for their time: short backoffs, and records of the retry topics that are not due yet."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

from streams.contracts.clock import Clock
from streams.ops.service import BackgroundService
from streams.work.records import QueuedJob


class DelayQueue(BackgroundService):
    """Hands each job to `release` when its time has come. Bounded by the offset window of its partition."""

    def __init__(self, release: Callable[[QueuedJob], None], clock: Clock) -> None:
        super().__init__()
        self._release = release
        self._clock = clock
        self._heap: list[tuple[float, int, QueuedJob]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, queued: QueuedJob, seconds: float) -> None:
        heapq.heappush(self._heap, (self._clock.monotonic() + seconds, next(self._order), queued))
        self._changed.set()

    def waiting(self) -> list[QueuedJob]:
        return [queued for _, _, queued in self._heap]

    def drop(self, unwanted: Callable[[QueuedJob], bool]) -> list[QueuedJob]:
        dropped = [queued for _, _, queued in self._heap if unwanted(queued)]
        self._heap = [entry for entry in self._heap if not unwanted(entry[2])]
        heapq.heapify(self._heap)
        return dropped

    async def on_start(self) -> None:
        self.spawn(self._run(), "delays")

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            self.release_due()
            timeout = self._heap[0][0] - self._clock.monotonic() if self._heap else None
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def release_due(self) -> None:
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            self._release(heapq.heappop(self._heap)[2])
