"""What readers ask for: one job a key, however many ask at the same time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import millis
from streams.contracts.errors import UnavailableError
from streams.contracts.ids import derive_job_id
from streams.contracts.jobs import Priority, Why
from streams.contracts.keys import CacheKey
from streams.web.intake import JobRequester

#: A refresh that nobody waits for is worth asking for once a minute at most.
REFRESH_QUIET_S = 60.0


class Asked(msgspec.Struct, frozen=True):
    """What became of one key: its job's id, or None and why there is none. `joined`: another had asked."""

    key: str
    job_id: str | None
    reason: str | None = None
    joined: bool = False


class DemandDesk:
    """Emits a reader's job, or joins the one that another reader of any process asked for a moment ago."""

    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, *, jobs: JobRequester, quiet_s: float
    ) -> None:
        self._redis = redis
        self._names = names
        self._jobs = jobs
        self._quiet_s = quiet_s

    async def ask(
        self, keys: Sequence[CacheKey], *, refresh: bool = False, urgent: bool = True
    ) -> list[Asked]:
        """`refresh`: again although there is an answer. `urgent`: at the highest priority, else at a low one;
        a refresh that is not urgent is nobody's demand, and shed like any other refresh.

        Raises `UnavailableError` where Redis or Kafka does not answer; then nothing counts as asked for.
        """
        cause = f"demand/{uuid.uuid4().hex}"
        ids = [derive_job_id(key.task, str(key), cause) for key in keys]
        markers = [self._marker(key, urgent=urgent) for key in keys]
        before = await self._mark(markers, ids, self._quiet_s if urgent else REFRESH_QUIET_S)
        new = [key for key, old in zip(keys, before, strict=True) if old is None]
        try:
            jobs = await self._jobs.request(
                new,
                why=Why.REFRESH if refresh and not urgent else Why.DEMAND,
                recompute=refresh,
                priority=Priority.DEMAND if urgent else Priority.REFRESH,
                cause=cause,
            )
        except BaseException:
            await self._unmark([marker for marker, old in zip(markers, before, strict=True) if old is None])
            raise
        emitted = {job.key for job in jobs}
        unknown = [key for key in new if str(key) not in emitted]
        await self._unmark([self._marker(key, urgent=urgent) for key in unknown])
        return [
            _answer(key, job_id, old, is_emitted=str(key) in emitted)
            for key, job_id, old in zip(keys, ids, before, strict=True)
        ]

    async def forget(self, key: CacheKey) -> None:
        """The next reader's demand is a new job: what the last one asked for has ended."""
        await self._unmark([self._marker(key, urgent=True)])

    def _marker(self, key: CacheKey, *, urgent: bool) -> str:
        return self._names.asked(str(key)) + ("" if urgent else ":later")

    async def _mark(self, markers: Sequence[str], ids: Sequence[str], quiet_s: float) -> list[bytes | None]:
        pipe = self._redis.pipeline(transaction=False)
        for marker, job_id in zip(markers, ids, strict=True):
            pipe.set(marker, job_id, nx=True, get=True, px=millis(quiet_s))
        try:
            found: list[Any] = await pipe.execute()
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        return found

    async def _unmark(self, markers: Sequence[str]) -> None:
        if not markers:
            return
        pipe = self._redis.pipeline(transaction=False)
        for marker in markers:
            pipe.delete(marker)
        try:
            await pipe.execute()
        except AWAY:
            # They expire by themselves within seconds.
            return


def _answer(key: CacheKey, job_id: str, old: bytes | None, *, is_emitted: bool) -> Asked:
    if old is not None:
        return Asked(str(key), old.decode(), joined=True)
    if is_emitted:
        return Asked(str(key), job_id)
    return Asked(str(key), None, reason="unknown_entity")
