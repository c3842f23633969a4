"""Time as a dependency: tests advance it, production reads it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is stored and compared across machines, monotonic time for waits."""

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never runs backwards."""
        ...


class SystemClock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class ManualClock:
    """A clock for tests: stands still until `advance` is called."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Moves wall time alone, as NTP does; may be negative."""
        self._now += seconds


SYSTEM_CLOCK: Clock = SystemClock()


def millis(seconds: float) -> int:
    """Whole milliseconds of a time or a duration in seconds: the unit of every stored time."""
    # Cutting off would lose one in a few hundred: 65.526 s is 65525.999... ms.
    return round(seconds * 1000)
