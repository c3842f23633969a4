"""Keeps the predictor up to date beside the stream: models, switch, prices, load, and its report card."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Collection

import redis.asyncio as aioredis
import structlog

from predictor.serving import ServingModel
from streams.cache.connection import AWAY
from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.cache.presence import living_workers
from streams.cache.scorecards import Calibration, LiftFigure, Scorecard, Scorecards
from streams.contracts.clock import Clock, millis
from streams.contracts.errors import UnavailableError
from streams.ingest.challengers import Challengers
from streams.ingest.conditions import Conditions
from streams.ingest.lifts import LiftReader
from streams.ingest.scoring import PredictionScores
from streams.ops.metrics import FLEET_LOAD, PREDICTED_SECONDS_LEFT
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

#: A promoted model serves, and the switch works, within this.
LOOK_EVERY_S = 2.0


class ConditionsUpkeep:
    """Reads from Redis what decisions depend on; raises redis-py's errors and `UnavailableError`."""

    def __init__(
        self, conditions: Conditions, redis: aioredis.Redis, names: RedisNames, tasks: Collection[str]
    ) -> None:
        self._conditions = conditions
        self._redis = redis
        self._names = names
        self._tasks = tasks

    async def look(self, totals: dict[str, float]) -> None:
        """`totals` are the fleet's counters."""
        conditions = self._conditions
        conditions.switched_off = bool(await self._redis.exists(self._names.predictor_off))
        computed = {task: totals.get(f"computed:{task}", 0.0) for task in self._tasks}
        conditions.measured(
            {task: totals.get(f"seconds:{task}", 0.0) / n for task, n in computed.items() if n > 0}
        )
        await conditions.budget.exchange(self._redis, self._names)
        conditions.load.update(await living_workers(self._redis, self._names))
        FLEET_LOAD.set(conditions.load.value)
        PREDICTED_SECONDS_LEFT.set(conditions.budget.left)


class PredictorUpkeep(BackgroundService):
    """Redis being away leaves everything as it was."""

    def __init__(
        self,
        *,
        model: ServingModel,
        challengers: Challengers,
        scores: PredictionScores,
        conditions: Conditions,
        lifts: LiftReader,
        redis: aioredis.Redis,
        names: RedisNames,
        counters: FleetCounters,
        tasks: Collection[str],
        clock: Clock,
    ) -> None:
        super().__init__()
        self._model = model
        self._challengers = challengers
        self._scores = scores
        self._conditions = conditions
        self._looking = ConditionsUpkeep(conditions, redis, names, tasks)
        self._lifts = lifts
        self._counters = counters
        self._cards = Scorecards(redis, names)
        self._clock = clock
        self._process = f"{socket.gethostname()}-{os.getpid()}"

    async def on_start(self) -> None:
        self.spawn(self._keep(), "predictor-upkeep")

    async def _keep(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Looks once."""
        await self._exchange_model()
        await self._challengers.look()
        try:
            totals = await self._counters.totals()
            await self._looking.look(totals)
            await self._cards.write(self._card(await self._lifts.read(totals)))
        except (*AWAY, UnavailableError) as exc:
            _log.debug("the predictor's upkeep waits for Redis", error=str(exc))

    async def _exchange_model(self) -> None:
        """Loads in a thread, exchanges here: between two slices, so that no event is lost."""
        newer = await asyncio.to_thread(self._model.prepare)
        if newer is not None:
            _log.info("another model serves", version=self._model.swap(newer))

    def _card(self, lift: LiftFigure | None) -> Scorecard:
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
            bins=tuple(
                Calibration(one.count, round(one.confidence, 4), round(one.accuracy, 4))
                for one in self._scores.bins()
            ),
            lift=lift,
            off_because="switched off" if self._conditions.switched_off else "",
            drifts=self._scores.drift.drifts,
            training_wanted_since=self._scores.drift.training_wanted_since,
            load=round(self._conditions.load.value, 4),
            predicted_seconds_left=round(self._conditions.budget.left, 3),
            shadow=self._challengers.figure,
        )
