"""Whether an event's jobs are worth computing at once, by how often such answers were read.

The same rule as for predicted jobs: probability x benefit above the cost. The probability is the measured
share of answers of that task and cause that were read; the price and the load are those of predictions.
A user's own share was tried and gave no better hit rate for the same CPU (docs/benchmarks/impact.md).
"""

from __future__ import annotations

import asyncio

import redis.asyncio as aioredis
import structlog

from predictor.policy import PolicyConfig, Price, threshold
from streams.cache.connection import AWAY
from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.cache.presence import living_workers
from streams.cache.uses import MeasuredUse, is_explored
from streams.contracts.clock import Clock
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Job
from streams.contracts.states import Reason
from streams.ingest.load import FleetLoad
from streams.ops.service import BackgroundService
from streams.settings import Settings

_log = structlog.get_logger(__name__)

#: As often as the predictor looks at what its decisions depend on.
LOOK_EVERY_S = 2.0


class TriggerWeighing:
    """Reads `use` and `load`, which the role's upkeep keeps up to date."""

    def __init__(self, act_above: float, policy: PolicyConfig, clock: Clock) -> None:
        self._price = Price(benefit_s=1.0, cost_s=act_above)
        self._policy = policy
        self.use = MeasuredUse()
        self.load = FleetLoad(clock)

    def refusal(self, job: Job, cause: str) -> Reason | None:
        """Why the job is left to whoever asks; None where it is to run.

        All jobs of an explored event run: one of them may be computed from another's answer.
        """
        share = self.use.share(job.task, job.why)
        if share is None or share > threshold(self._price, self.load.value, self._policy):
            return None
        return None if is_explored(cause) else Reason.NOT_WORTH_IT


def weighing_of(settings: Settings, clock: Clock) -> TriggerWeighing | None:
    """None where every job is sent."""
    if settings.triggers == "always":
        return None
    return TriggerWeighing(settings.act_above, PolicyConfig(load_penalty=settings.load_penalty), clock)


class WeighingUpkeep(BackgroundService):
    """Redis being away leaves everything as it was."""

    def __init__(
        self, weighing: TriggerWeighing, redis: aioredis.Redis, names: RedisNames, counters: FleetCounters
    ) -> None:
        super().__init__()
        self._weighing = weighing
        self._redis = redis
        self._names = names
        self._counters = counters

    async def on_start(self) -> None:
        self.spawn(self._keep(), "weighing-upkeep")

    async def _keep(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Looks once."""
        try:
            self._weighing.use.update(await self._counters.totals())
            self._weighing.load.update(await living_workers(self._redis, self._names))
        except (*AWAY, UnavailableError) as exc:
            _log.debug("weighing triggers waits for Redis", error=str(exc))
