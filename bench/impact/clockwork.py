"""Simulated time: a clock that the real components read, and what happens next."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

#: 1 July 2026, a Wednesday, 00:00 UTC: the measured day, on the components' clock.
EPOCH_S = 1_782_864_000


class Clockwork:
    """`streams.contracts.clock.Clock`, and a heap of what is due. Seconds since the measured day's start."""

    def __init__(self) -> None:
        self.at = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def now(self) -> float:
        return EPOCH_S + self.at

    def monotonic(self) -> float:
        return EPOCH_S + self.at

    @property
    def now_ms(self) -> int:
        return int((EPOCH_S + self.at) * 1000)

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.at + seconds, next(self._numbers), do))

    def run_until(self, at: float) -> None:
        """Everything that is due by then, in order."""
        while self._due and self._due[0][0] <= at:
            self.at, _, do = heapq.heappop(self._due)
            do()
        self.at = max(self.at, at)

    def run_out(self) -> None:
        while self._due:
            self.run_until(self._due[0][0])
