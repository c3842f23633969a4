"""The global budget: computing seconds that the predicted jobs of all streams processes may take."""

from __future__ import annotations

import redis.asyncio as aioredis

from streams.cache.names import RedisNames
from streams.contracts.clock import Clock

HOUR_S = 3600.0
#: Spent in windows: a burst must not take an hour's budget at once and leave the rest of the hour without.
WINDOW_S = 300
#: A window that nobody asks about any more may go.
_KEPT_S = 2 * WINDOW_S


class GlobalBudget:
    """Each process spends at once and tells the others every few seconds; while Redis is away, alone.

    What a process spent since the last exchange is unknown to the others: they may together overspend by
    that much.
    """

    def __init__(self, seconds_an_hour: float, clock: Clock) -> None:
        self._limit = seconds_an_hour * WINDOW_S / HOUR_S
        self._clock = clock
        self._window = self._now()
        #: Of the running window: by everybody as Redis said last, and by this process since.
        self._together = 0.0
        self._untold = 0.0

    @property
    def left(self) -> float:
        """Seconds left of the running window."""
        self._turn()
        return max(0.0, self._limit - self._together - self._untold)

    def spend(self, seconds: float) -> None:
        self._turn()
        self._untold += seconds

    def give_back(self, seconds: float) -> None:
        """What was spent a moment ago and is not needed; of an earlier window it is lost."""
        self._turn()
        self._untold = max(self._untold - seconds, -self._together)

    async def exchange(self, redis: aioredis.Redis, names: RedisNames) -> None:
        """Tells the others what was spent, and hears what they did; raises redis-py's errors."""
        self._turn()
        window, told = self._window, self._untold
        name = names.predicted_seconds(window)
        together = float(await redis.incrbyfloat(name, told))
        if window == self._window:
            self._together = together
            self._untold -= told
        await redis.expire(name, _KEPT_S)

    def _now(self) -> int:
        return int(self._clock.now() // WINDOW_S)

    def _turn(self) -> None:
        window = self._now()
        if window != self._window:
            self._window, self._together, self._untold = window, 0.0, 0.0
