"""Reads by holdout group: every read counts for the group of whom it is about, acted on or not.

Only then is the difference between the groups the effect of acting on predictions (intention to treat): the
held-out group fills its cache on demand too.
"""

from __future__ import annotations

import redis.asyncio as aioredis

from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.contracts.holdout import HoldoutConfig, draw_group, holdout_unit
from streams.contracts.keys import CacheKey


class GroupReads:
    """Counts at once, reports the units about once a second."""

    def __init__(self, names: RedisNames, counters: FleetCounters, config: HoldoutConfig) -> None:
        self._names = names
        self._counters = counters
        self._config = config
        self._units: dict[str, set[str]] = {}

    def note(self, key: CacheKey, *, hit: bool) -> None:
        # The id of a user's answer is the user's.
        unit = holdout_unit(key.entity, key.entity_id, key.entity_id)
        group = draw_group(unit, self._config).value
        self._counters.add(f"group_reads:{self._config.salt}:{group}")
        if hit:
            self._counters.add(f"group_hits:{self._config.salt}:{group}")
        self._units.setdefault(group, set()).add(unit)

    async def report(self, redis: aioredis.Redis) -> None:
        """Raises redis-py's errors; what was gathered is lost then, and the sample ratio a little off."""
        units, self._units = self._units, {}
        for group, members in units.items():
            await redis.pfadd(self._names.group_units(self._config.salt, group), *members)
