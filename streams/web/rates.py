"""Rate limits: a bucket of tokens for each caller."""

from __future__ import annotations

from streams.contracts.clock import SYSTEM_CLOCK, Clock

#: A caller may spend two seconds' worth at once.
BURST_S = 2.0
MOST_CALLERS = 10_000


class RateLimiter:
    """Of this process: with N processes behind one address a caller gets up to N times as much."""

    def __init__(self, per_second: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._rate = per_second
        self._burst = max(1.0, per_second * BURST_S)
        self._clock = clock
        #: Tokens left, and when that was so.
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> float:
        """0 where the request may pass; else the seconds after which it may be tried again."""
        if self._rate <= 0:
            return 0.0
        now = self._clock.monotonic()
        tokens, at = self._buckets.get(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        if caller not in self._buckets and len(self._buckets) >= MOST_CALLERS:
            self._buckets.pop(next(iter(self._buckets)))
        if tokens < 1.0:
            self._buckets[caller] = (tokens, now)
            return (1.0 - tokens) / self._rate
        self._buckets[caller] = (tokens - 1.0, now)
        return 0.0
