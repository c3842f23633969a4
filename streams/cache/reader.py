"""Reading answers: fresh, stale or unavailable, never the one that was invalidated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import redis.asyncio as aioredis

from streams.cache.fetching import AnswerFetcher
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.keys import CacheKey
from streams.contracts.results import Envelope, State, StoredResult, timestamp


class AnswerReader:
    """Reads answers of any task. A broken Redis is a fast `UnavailableError`, never a wait."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock = SYSTEM_CLOCK) -> None:
        self._fetcher = AnswerFetcher(redis, names)
        self._clock = clock

    async def read(self, key: CacheKey) -> Envelope | None:
        return (await self.read_many([key]))[0]

    async def read_many(self, keys: Sequence[CacheKey]) -> list[Envelope | None]:
        """The envelope of each key, or None where there is no answer: one round trip."""
        found = await self.stored([str(key) for key in keys])
        now_ms = millis(self._clock.now())
        return [envelope_of(stored, now_ms) if stored is not None else None for stored in found]

    async def stored(self, keys: Sequence[str]) -> list[StoredResult | None]:
        """The stored answer of each key, its result still JSON."""
        return await self._fetcher.fetch(keys)


def state_of(stored: StoredResult, now_ms: int) -> State:
    if not stored.is_available:
        return State.UNAVAILABLE
    return State.FRESH if now_ms < stored.expires_at else State.STALE


def envelope_of(stored: StoredResult, now_ms: int) -> Envelope:
    result: Any = msgspec.json.decode(stored.result)
    return Envelope(
        key=stored.key,
        task=stored.task,
        state=state_of(stored, now_ms),
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
    return tag_of(body_of(stored))


def body_of(stored: StoredResult) -> bytes:
    """What an answer says, as bytes: its result, or the reason why there is none."""
    return bytes(stored.result) if stored.is_available else (stored.reason or "").encode()


def tag_of(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=12).hexdigest()
