"""Which answers a refresh means, and the jobs that compute them again."""

from __future__ import annotations

import uuid
from typing import Any, cast

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.inputs import EntityInput, MirrorReader
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Job, Priority, Why
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import TaskSpec
from streams.web.intake import JobRequester
from streams.web.models import Filters

#: More in one request would hold it open for minutes; callers repeat it, or use a batch.
MOST_A_REFRESH = 10_000


class Refresher:
    def __init__(
        self,
        redis: aioredis.Redis,
        names: RedisNames,
        *,
        jobs: JobRequester,
        mirror: MirrorReader,
        stale_s: float,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._redis = redis
        self._names = names
        self._jobs = jobs
        self._mirror = mirror
        self._stale_ms = millis(stale_s)
        self._clock = clock

    async def refresh(self, spec: TaskSpec, filters: Filters) -> list[Job]:
        """Jobs for the task's answers that pass the filters, or for `ids` whether they have one or not."""
        ids = filters.ids if filters.ids is not None else await self._with_answers(spec, filters)
        wanted = await self._of_owner(spec, ids[:MOST_A_REFRESH], filters)
        keys = [CacheKey(spec.name, spec.entity, one) for one in wanted]
        cause = f"refresh/{uuid.uuid4().hex}"
        return await self._jobs.request(
            keys, why=Why.REFRESH, priority=Priority.REFRESH, cause=cause, recompute=True
        )

    async def _with_answers(self, spec: TaskSpec, filters: Filters) -> list[str]:
        now = millis(self._clock.now())
        most: Any = "+inf"
        if filters.expiring_within_s is not None:
            most = now + millis(filters.expiring_within_s) + self._stale_ms
        try:
            found = await self._redis.zrangebyscore(
                self._names.index(spec.name), now, most, start=0, num=MOST_A_REFRESH
            )
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        return [key.decode().rpartition(":")[2] for key in cast("list[bytes]", found)]

    async def _of_owner(self, spec: TaskSpec, ids: list[str], filters: Filters) -> list[str]:
        if filters.user_id is None and filters.campaign_id is None:
            return ids
        inputs = await self._mirror.inputs(spec.entity, ids)
        return [one for one, found in zip(ids, inputs, strict=True) if _belongs(spec, one, found, filters)]


def _belongs(spec: TaskSpec, one: str, found: EntityInput | None, filters: Filters) -> bool:
    owner = found.user_id if found is not None else (one if spec.entity == "user" else None)
    if filters.user_id is not None and owner != filters.user_id:
        return False
    if filters.campaign_id is None:
        return True
    if spec.entity == "campaign":
        return one == filters.campaign_id
    payload = msgspec.json.decode(bytes(found.payload)) if found is not None else {}
    return isinstance(payload, dict) and payload.get("campaign_id") == filters.campaign_id
