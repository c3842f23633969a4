"""The circuit breaker: a cache that fails again and again is left alone for a moment."""

from __future__ import annotations

from streams.contracts.clock import Clock
from streams.contracts.errors import UnavailableError


class CircuitBreaker:
    """Closed: calls pass. Open: they fail at once. After `open_s` one call passes; its end decides."""

    def __init__(self, failures: int, open_s: float, clock: Clock) -> None:
        self._most = failures
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self.times_opened = 0

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    def enter(self) -> None:
        """Before a call; raises `UnavailableError` while the circuit is open."""
        if self._open_until is None:
            return
        now = self._clock.monotonic()
        if now < self._open_until:
            raise UnavailableError("the cache failed too often; it is asked again in a moment")
        # This call is the trial; others go on failing until it ends, or for as long again.
        self._open_until = now + self._open_s

    def succeed(self) -> None:
        self._failures = 0
        self._open_until = None

    def fail(self) -> None:
        self._failures += 1
        if self._failures >= self._most:
            if self._open_until is None:
                self.times_opened += 1
            self._open_until = self._clock.monotonic() + self._open_s
