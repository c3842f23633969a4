"""Keeps the predictor up to date beside the stream: the model, the switch, the prices, its report card."""

from __future__ import annotations

import asyncio
import os
import socket

import redis.asyncio as aioredis
import structlog

from predictor.lift import Group, Lift, hit_rate_lift
from predictor.serving import ServingModel
from streams.cache.connection import AWAY
from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.cache.scorecards import LiftFigure, Scorecard, Scorecards
from streams.contracts.clock import Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.holdout import HoldoutConfig
from streams.contracts.jobs import Group as GroupName
from streams.contracts.tasks import TaskCatalogue
from streams.ingest.conditions import Conditions
from streams.ingest.scoring import PredictionScores
from streams.ops.metrics import PREDICTOR_LIFT
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

#: A promoted model serves, and the switch works, within this.
LOOK_EVERY_S = 2.0


class PredictorUpkeep(BackgroundService):
    """Redis being away leaves everything as it was."""

    def __init__(
        self,
        *,
        model: ServingModel,
        scores: PredictionScores,
        conditions: Conditions,
        redis: aioredis.Redis,
        names: RedisNames,
        counters: FleetCounters,
        tasks: TaskCatalogue,
        holdout: HoldoutConfig,
        clock: Clock,
    ) -> None:
        super().__init__()
        self._holdout = holdout
        self._lift: Lift | None = None
        self._model = model
        self._scores = scores
        self._conditions = conditions
        self._redis = redis
        self._names = names
        self._counters = counters
        self._cards = Scorecards(redis, names)
        self._tasks = tasks
        self._clock = clock
        self._process = f"{socket.gethostname()}-{os.getpid()}"

    async def on_start(self) -> None:
        self.spawn(self._keep(), "predictor-upkeep")

    async def _keep(self) -> None:
        while True:
            await self._exchange_model()
            try:
                await self._read_switch()
                totals = await self._counters.totals()
                self._read_prices(totals)
                await self._read_lift(totals)
                await self._cards.write(self._card())
            except (*AWAY, UnavailableError) as exc:
                _log.debug("the predictor's upkeep waits for Redis", error=str(exc))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _exchange_model(self) -> None:
        """Loads in a thread, exchanges here: between two slices, so that no event is lost."""
        newer = await asyncio.to_thread(self._model.prepare)
        if newer is not None:
            _log.info("another model serves", version=self._model.swap(newer))

    async def _read_switch(self) -> None:
        self._conditions.switched_off = bool(await self._redis.exists(self._names.predictor_off))

    def _read_prices(self, totals: dict[str, float]) -> None:
        computed = {task: totals.get(f"computed:{task}", 0.0) for task in self._tasks}
        self._conditions.measured(
            {task: totals.get(f"seconds:{task}", 0.0) / n for task, n in computed.items() if n > 0}
        )

    async def _read_lift(self, totals: dict[str, float]) -> None:
        """Hit rate of treatment minus holdout, over all reads since the salt was set."""
        treatment, holdout = [await self._group(group, totals) for group in GroupName]
        self._lift = hit_rate_lift(treatment, holdout, self._holdout.fraction)
        if self._lift is not None:
            for bound in ("difference", "low", "high"):
                PREDICTOR_LIFT.labels(bound).set(getattr(self._lift, bound))

    async def _group(self, group: str, totals: dict[str, float]) -> Group:
        salt = self._holdout.salt
        return Group(
            units=int(await self._redis.pfcount(self._names.group_units(salt, group))),
            reads=int(totals.get(f"group_reads:{salt}:{group}", 0)),
            hits=int(totals.get(f"group_hits:{salt}:{group}", 0)),
        )

    def _card(self) -> Scorecard:
        scores = self._scores.export(self._model.version)
        return Scorecard(
            process=self._process,
            model_version=self._model.version,
            at=millis(self._clock.now()),
            n=scores.n,
            top1=scores.top1,
            top3=scores.top3,
            log_loss=scores.log_loss,
            calibration_error=scores.calibration_error,
            lift=_shown(self._lift),
            off_because="switched off" if self._conditions.switched_off else "",
        )


def _shown(lift: Lift | None) -> LiftFigure | None:
    if lift is None:
        return None
    return LiftFigure(
        treatment=lift.treatment,
        holdout=lift.holdout,
        low=lift.low,
        high=lift.high,
        trustworthy=lift.trustworthy,
    )
