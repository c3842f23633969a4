"""API keys: made once, shown once, kept as hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import cast

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.web.callers import Caller, Scope

PREFIX = "pck"
_ID_BYTES = 6
#: 256 bits of the system's randomness: nobody tries them through, so that a fast hash is enough.
_SECRET_BYTES = 32
#: How long a process trusts what it read: a revoked key works at most that much longer.
TRUST_S = 5.0
#: Wrong keys a process remembers, so that guessing does not become a load on Redis.
MOST_KEPT = 10_000


def is_key(token: str) -> bool:
    """Whether it looks like a key of ours: then nobody else is asked about it."""
    return token.startswith(f"{PREFIX}_")


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored. `digest` is SHA-256 of the whole key, in hexadecimal digits; times in ms."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at: int
    expires_at: int | None = None


class KeyStore:
    """Raises `UnavailableError` where Redis does not answer: without it nobody is let in."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, clock: Clock = SYSTEM_CLOCK) -> None:
        self._redis = redis
        self._name = names.api_keys
        self._clock = clock
        #: Key id to what was read and when (monotonic seconds).
        self._kept: dict[str, tuple[ApiKey | None, float]] = {}

    async def create(
        self, name: str, scopes: Iterable[Scope], *, ttl_s: float | None = None
    ) -> tuple[ApiKey, str]:
        """The key's record, and the key itself, which is not kept anywhere."""
        key_id = secrets.token_hex(_ID_BYTES)
        token = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        now = millis(self._clock.now())
        record = ApiKey(
            id=key_id,
            name=name,
            scopes=tuple(sorted(set(scopes))),
            digest=_digest(token),
            created_at=now,
            expires_at=now + millis(ttl_s) if ttl_s is not None else None,
        )
        try:
            await self._redis.hset(self._name, key_id, msgspec.json.encode(record))
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc
        return record, token

    async def list(self) -> list[ApiKey]:
        try:
            found = cast("dict[bytes, bytes]", await self._redis.hgetall(self._name))
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc
        keys = [msgspec.json.decode(data, type=ApiKey) for data in found.values()]
        return sorted(keys, key=lambda key: key.created_at)

    async def revoke(self, key_id: str) -> bool:
        """Whether there was such a key."""
        self._kept.pop(key_id, None)
        try:
            return bool(await self._redis.hdel(self._name, key_id))
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer: {exc}") from exc

    async def caller(self, token: str) -> Caller | None:
        """Whose key it is; None for one that is unknown, revoked or over."""
        parts = token.split("_", 2)
        if len(parts) != 3 or parts[0] != PREFIX or len(parts[1]) != 2 * _ID_BYTES:
            return None
        record = await self._find(parts[1])
        if record is None or not hmac.compare_digest(record.digest, _digest(token)):
            return None
        if record.expires_at is not None and millis(self._clock.now()) >= record.expires_at:
            return None
        return Caller(record.id, frozenset(record.scopes))

    async def _find(self, key_id: str) -> ApiKey | None:
        now = self._clock.monotonic()
        known = self._kept.get(key_id)
        if known is not None and now - known[1] < TRUST_S:
            return known[0]
        try:
            data = cast("bytes | None", await self._redis.hget(self._name, key_id))
        except AWAY as exc:
            raise UnavailableError(f"keys cannot be checked, Redis does not answer: {exc}") from exc
        record = msgspec.json.decode(data, type=ApiKey) if data else None
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key_id] = (record, now)
        return record


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
