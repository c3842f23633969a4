"""`Idempotency-Key`: the same request twice is done once and answered twice."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import redis.asyncio as aioredis
from fastapi import Request
from fastapi.responses import Response

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.errors import UnavailableError
from streams.contracts.ids import is_id
from streams.web.callers import caller_of
from streams.web.problems import Problem
from streams.web.responses import json_bytes

HEADER = "idempotency-key"
#: A client that retries does so within a day; one that is at it now ends within a minute.
KEPT_S = 86_400
PENDING_S = 60


class _Kept(msgspec.Struct):
    """`status` 0: somebody is at it. `digest` is that of the request's body."""

    digest: str
    status: int = 0
    body: bytes = b""


class IdempotentRequests:
    def __init__(self, redis: aioredis.Redis, names: RedisNames) -> None:
        self._redis = redis
        self._names = names

    async def run(
        self, request: Request, act: Callable[[], Awaitable[tuple[int, dict[str, Any]]]]
    ) -> Response:
        """Does it, or gives the answer that it got before; where `act` raises, nothing is kept."""
        token = request.headers.get(HEADER)
        if token is None:
            return _respond(*await act())
        if not is_id(token):
            raise Problem(400, "Idempotency-Key takes 1 to 128 of A-Za-z0-9._-", field="Idempotency-Key")
        name = self._names.response(f"{caller_of(request).name}:{request.url.path}", token)
        digest = hashlib.blake2b(await request.body(), digest_size=16).hexdigest()
        before = await self._claim(name, digest)
        if before is not None:
            return _replay(before, digest)
        try:
            status, body = await act()
        except BaseException:
            await self._keep(name, None)
            raise
        await self._keep(name, _Kept(digest, status, json_bytes(body)))
        return _respond(status, body)

    async def _claim(self, name: str, digest: str) -> _Kept | None:
        try:
            found = await self._redis.set(
                name, msgspec.msgpack.encode(_Kept(digest)), nx=True, get=True, ex=PENDING_S
            )
        except AWAY as exc:
            raise UnavailableError(f"Redis does not answer, so that nothing is done twice: {exc}") from exc
        data = cast("bytes | None", found)
        return msgspec.msgpack.decode(data, type=_Kept) if data else None

    async def _keep(self, name: str, kept: _Kept | None) -> None:
        try:
            if kept is None:
                await self._redis.delete(name)
            else:
                await self._redis.set(name, msgspec.msgpack.encode(kept), ex=KEPT_S)
        except AWAY:
            # The claim ends by itself within a minute.
            return


def _replay(before: _Kept, digest: str) -> Response:
    if before.digest != digest:
        raise Problem(422, "this Idempotency-Key came with another body before", field="Idempotency-Key")
    if before.status == 0:
        raise Problem(409, "a request with this Idempotency-Key is under way", headers={"Retry-After": "1"})
    headers = {"Idempotency-Replayed": "true"}
    return Response(before.body, status_code=before.status, media_type="application/json", headers=headers)


def _respond(status: int, body: dict[str, Any]) -> Response:
    return Response(json_bytes(body), status_code=status, media_type="application/json")
