"""Reading answers: fresh, stale or unavailable, never the one that was invalidated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import redis.asyncio as aioredis
import structlog

from streams.cache.codec import decode_stored
from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import ContractError, UnavailableError
from streams.contracts.keys import CacheKey
from streams.contracts.results import Envelope, State, StoredResult, timestamp

_log = structlog.get_logger(__name__)


class AnswerReader:
    """Reads answers of any task. A broken Redis is a fast `UnavailableError`, never a wait."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock = SYSTEM_CLOCK) -> None:
        self._redis = redis
        self._names = names
        self._clock = clock

    async def read(self, key: CacheKey) -> Envelope | None:
        return (await self.read_many([key]))[0]

    async def read_many(self, keys: Sequence[CacheKey]) -> list[Envelope | None]:
        """The envelope of each key, or None where there is no answer: one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(self._names.floors)
        for key in keys:
            pipe.get(self._names.result(str(key)))
        try:
            floors, *found = await pipe.execute()
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        return [
            self._envelope(key, data, floors) if data else None for key, data in zip(keys, found, strict=True)
        ]

    def _envelope(self, key: CacheKey, data: bytes, floors: dict[bytes, bytes]) -> Envelope | None:
        try:
            stored = decode_stored(data)
        except ContractError as exc:
            _log.warning("unreadable answer", key=str(key), error=str(exc))
            return None
        floor = max(int(floors.get(b"*", 0)), int(floors.get(key.task.encode(), 0)))
        if stored.started_at <= floor:
            return None
        return envelope_of(stored, millis(self._clock.now()))


def envelope_of(stored: StoredResult, now_ms: int) -> Envelope:
    state = State.FRESH if now_ms < stored.expires_at else State.STALE
    if not stored.is_available:
        state = State.UNAVAILABLE
    result: Any = msgspec.json.decode(stored.result)
    return Envelope(
        key=stored.key,
        task=stored.task,
        state=state,
        result=result,
        computed_at=timestamp(stored.computed_at),
        expires_at=timestamp(stored.expires_at),
        age_s=max(0.0, (now_ms - stored.computed_at) / 1000),
        job_id=stored.job_id,
        why=stored.why,
        handler_version=stored.handler_version,
        etag=etag_of(stored),
        compute_ms=stored.compute_ms,
        reason=stored.reason,
        message=stored.message,
    )


def etag_of(stored: StoredResult) -> str:
    """A strong tag: it changes when the result's bytes do, and not when only its age does."""
    body = bytes(stored.result) if stored.is_available else (stored.reason or "").encode()
    return hashlib.blake2b(body, digest_size=12).hexdigest()
