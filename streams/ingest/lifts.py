"""What acting on predictions is worth to readers: treatment against holdout, as the fleet has counted it."""

from __future__ import annotations

from collections.abc import Mapping

import redis.asyncio as aioredis

from predictor.lift import Group, Lift, hit_rate_lift
from streams.cache.names import RedisNames
from streams.cache.scorecards import LiftFigure
from streams.contracts.holdout import HoldoutConfig
from streams.contracts.jobs import Group as GroupName
from streams.ops.metrics import PREDICTOR_LIFT


class LiftReader:
    """Raises redis-py's errors."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, holdout: HoldoutConfig) -> None:
        self._redis = redis
        self._names = names
        self._holdout = holdout

    async def read(self, totals: Mapping[str, float]) -> LiftFigure | None:
        """Hit rate of treatment minus holdout, over all reads since the salt was set; None before both."""
        treatment, holdout = [await self._group(group, totals) for group in GroupName]
        lift = hit_rate_lift(treatment, holdout, self._holdout.fraction)
        if lift is None:
            return None
        for bound in ("difference", "low", "high"):
            PREDICTOR_LIFT.labels(bound).set(getattr(lift, bound))
        return _figure(lift)

    async def _group(self, group: str, totals: Mapping[str, float]) -> Group:
        salt = self._holdout.salt
        return Group(
            units=int(await self._redis.pfcount(self._names.group_units(salt, group))),
            reads=int(totals.get(f"group_reads:{salt}:{group}", 0)),
            hits=int(totals.get(f"group_hits:{salt}:{group}", 0)),
        )


def _figure(lift: Lift) -> LiftFigure:
    return LiftFigure(
        treatment=lift.treatment,
        holdout=lift.holdout,
        low=lift.low,
        high=lift.high,
        trustworthy=lift.trustworthy,
    )
