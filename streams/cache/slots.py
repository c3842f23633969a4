"""Claims and answers on a cluster: a script may touch one slot's keys, so a batch is sent slot by slot."""

from __future__ import annotations

from collections.abc import Sequence

import redis.asyncio as aioredis

from streams.cache.answers import AnswerStore, Claim, Finish, Grant
from streams.cache.cluster import by_slot
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock


class SlottedStore(AnswerStore):
    """The same on a single server, where a batch stays one call."""

    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, lease_s: float, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        super().__init__(redis, names, lease_s, clock)
        self._client = redis
        self._result = names.result

    async def claim(self, claims: Sequence[Claim]) -> list[Grant]:
        return await by_slot(self._client, claims, self._name_of, super().claim)

    async def finish(self, finishes: Sequence[Finish]) -> list[str]:
        return await by_slot(
            self._client, finishes, lambda end: self._result(end.claim.job.key), super().finish
        )

    async def renew(self, claims: Sequence[Claim]) -> list[bool]:
        return await by_slot(self._client, claims, self._name_of, super().renew)

    def _name_of(self, claim: Claim) -> str:
        return self._result(claim.job.key)
