"""What the API does by itself: counts answers nobody read, refreshes those that will be read again.

It lives here because the API knows the reads and can enqueue; one process of the fleet does it at a time.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
import redis.asyncio as aioredis

from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.cache.uses import MeasuredUse, is_explored
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.jobs import Why
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import TaskCatalogue, TaskSpec
from streams.ops.metrics import CACHE_PRECOMPUTED, COMPUTE_WASTED
from streams.web.demand import DemandDesk
from streams.web.off_peak import OffPeak

#: Seconds between two turns.
UPKEEP_EVERY_S = 5.0
#: Answers of one task handled in one turn; the next turn takes the rest.
MOST_A_TURN = 1000
#: Reads are remembered for as long as the longest TTL needs them.
READS_KEPT_S = 2 * 86_400
_HOUR_S = 3600


class RefreshConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; `worth` is the least probability of another read; `budget_s` is computing time an hour.

    `weighed`: what refreshes of the task were measured to bring may lower that probability.
    """

    every_s: float
    ahead_s: float
    worth: float
    budget_s: float
    stale_s: float
    off_peak: OffPeak
    weighed: bool = False


class Candidate(msgspec.Struct, frozen=True):
    """An answer that expires soon: the seconds to compute it, and how likely somebody reads it again."""

    key: CacheKey
    cost_s: float
    probability: float

    @property
    def value(self) -> float:
        """Seconds that a reader is expected not to wait."""
        return self.cost_s * self.probability


def read_again(idle_s: float, ttl_s: float) -> float:
    """The probability that an answer idle for `idle_s` is read again: halves with every half TTL.

    A geometric forgetting, as in LRFU (Lee et al., IEEE ToC 50(12), 2001) with one reference; it needs no
    history but the last read.
    """
    return float(0.5 ** (2.0 * max(0.0, idle_s) / ttl_s))


def weigh(candidates: list[Candidate], use: MeasuredUse, turn: str) -> list[Candidate]:
    """The candidates with no higher probability than refreshes of their task were read with, lately.

    Those drawn by key and `turn` keep theirs, so that the use goes on being measured.
    """

    def weighed(one: Candidate) -> Candidate:
        share = use.share(one.key.task, Why.REFRESH)
        if share is None or share >= one.probability or is_explored(f"{one.key}/{turn}"):
            return one
        return msgspec.structs.replace(one, probability=share)

    return [weighed(one) for one in candidates]


def choose(candidates: list[Candidate], worth: float, budget_s: float) -> list[Candidate]:
    """The most valuable first, as many as the budget takes."""
    chosen = []
    for one in sorted(candidates, key=lambda one: -one.value):
        if one.probability < worth or one.cost_s > budget_s:
            continue
        budget_s -= one.cost_s
        chosen.append(one)
    return chosen


class Upkeep:
    """One turn of it is `turn`; a `ChoreService` takes them."""

    def __init__(
        self,
        redis: aioredis.Redis,
        names: RedisNames,
        *,
        tasks: TaskCatalogue,
        counters: FleetCounters,
        demand: DemandDesk,
        config: RefreshConfig,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._redis = redis
        self._names = names
        self._tasks = tasks
        self._counters = counters
        self._demand = demand
        self._config = config
        self._clock = clock
        self._refreshed_at = float("-inf")
        self._use = MeasuredUse()

    async def turn(self) -> None:
        """One round; raises redis-py's errors and `UnavailableError`."""
        costs = await self._costs()
        for spec in self._tasks.values():
            await self._count_unread(spec.name, costs.get(spec.name, 0.0))
        every = self._config.every_s
        if every and self._clock.monotonic() - self._refreshed_at >= every:
            self._refreshed_at = self._clock.monotonic()
            await self.refresh(costs)

    async def refresh(self, costs: dict[str, float]) -> list[CacheKey]:
        """Asks for the answers that are worth it; the keys that were asked for."""
        now = self._clock.now()
        if not self._config.off_peak.is_open(now):
            return []
        candidates: list[Candidate] = []
        for spec in self._tasks.values():
            candidates += await self._candidates(spec, costs.get(spec.name, 1.0), now)
        spent_name = f"{self._names.lock('refresh-budget')}:{int(now // _HOUR_S)}"
        spent = float(cast("bytes | None", await self._redis.get(spent_name)) or 0.0)
        if self._config.weighed:
            candidates = weigh(candidates, self._use, str(int(now // _HOUR_S)))
        chosen = choose(candidates, self._config.worth, self._config.budget_s - spent)
        if not chosen:
            return []
        keys = [one.key for one in chosen]
        await self._demand.ask(keys, refresh=True, urgent=False)
        pipe = self._redis.pipeline(transaction=False)
        pipe.incrbyfloat(spent_name, sum(one.cost_s for one in chosen))
        pipe.expire(spent_name, 2 * _HOUR_S)
        await pipe.execute()
        self._counters.add("proactive_refreshes", len(keys))
        return keys

    async def _candidates(self, spec: TaskSpec, cost_s: float, now: float) -> list[Candidate]:
        """Answers whose TTL ends soon. The index has when they vanish, which is `stale_s` later."""
        soonest = millis(now + self._config.stale_s)
        found = await self._redis.zrangebyscore(
            self._names.index(spec.name),
            soonest,
            soonest + millis(self._config.ahead_s),
            start=0,
            num=MOST_A_TURN,
        )
        keys = [key.decode() for key in cast("list[bytes]", found)]
        if not keys:
            return []
        reads: Any = await self._redis.zmscore(self._names.reads(spec.name), keys)
        return [
            Candidate(CacheKey.parse(key, self._tasks), cost_s, read_again(now - read / 1000, spec.ttl_s))
            for key, read in zip(keys, reads, strict=True)
            if read is not None
        ]

    async def _count_unread(self, task: str, cost_s: float) -> None:
        """Precomputed answers that vanished before anybody read them, each counted once in the fleet."""
        now = self._clock.now()
        names = self._names
        found = await self._redis.zrangebyscore(
            names.unread(task), "-inf", millis(now), start=0, num=MOST_A_TURN
        )
        pipe = self._redis.pipeline(transaction=False)
        pipe.zremrangebyscore(names.index(task), "-inf", millis(now))
        pipe.zremrangebyscore(names.reads(task), "-inf", millis(now - READS_KEPT_S))
        for key in cast("list[bytes]", found):
            pipe.zrem(names.unread(task), key)
        unread = sum((await pipe.execute())[2:])
        if unread:
            CACHE_PRECOMPUTED.labels(task, "expired_unread").inc(unread)
            COMPUTE_WASTED.inc(unread * cost_s)
            self._counters.add("precomputed_expired_unread", unread)
            self._counters.add("seconds_wasted", unread * cost_s)

    async def _costs(self) -> dict[str, float]:
        """Mean computing seconds of each task, as far as one was computed."""
        totals = await self._counters.totals()
        self._use.update(totals)
        return {
            task: totals.get(f"seconds:{task}", 0.0) / computed
            for task in self._tasks
            if (computed := totals.get(f"computed:{task}", 0.0))
        }
