"""Reading stored answers in one round trip, never one that an invalidation put away.

Light: redis, msgspec and zstandard are all it needs, so that the client can use it in any process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis import exceptions as redis_errors

from streams.cache.cluster import is_cluster
from streams.cache.codec import decode_stored
from streams.cache.names import RedisNames
from streams.cache.outage import AWAY
from streams.cache.scripting import send_packed
from streams.contracts.errors import ContractError, UnavailableError
from streams.contracts.results import StoredResult

#: Keys of one call; the round trip of a larger one would hold Redis for over a millisecond.
MOST_A_CALL = 256

_Pending = list[tuple[Sequence[str], "asyncio.Future[list[bytes | None]]"]]


class AnswerFetcher:
    """Reads the bytes of answers. Calls made while one is under way share the next round trip.

    The floors of invalidation come with the answers, so that no answer below them is ever returned. Raises
    `UnavailableError` where Redis does not answer. On a cluster a pipeline stands in for MGET.
    """

    def __init__(self, redis: Any, names: RedisNames) -> None:
        self._redis = redis
        self._floors_name = names.floors_text
        # What stands before and behind the key in its answer's name: putting it together costs as much as
        # decoding an answer.
        self._head, self._tail = names.result("/").split("/")
        self._call = self._call_pipeline if is_cluster(redis) else self._call_mget
        self._floors = Floors()
        self._is_busy = False
        self._pending: _Pending = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def fetch(self, keys: Sequence[str]) -> list[StoredResult | None]:
        """The stored answer of each key; None where there is none, or none that decodes."""
        return [decode_or_none(data) if data else None for data in await self.fetch_bytes(keys)]

    async def fetch_bytes(self, keys: Sequence[str]) -> list[bytes | None]:
        if self._is_busy:
            future: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
            self._pending.append((keys, future))
            return await future
        self._is_busy = True
        try:
            return await self._read(keys)
        finally:
            self._is_busy = False
            self._go_on()

    def _go_on(self) -> None:
        if self._pending and not self._is_busy:
            self._is_busy = True
            task = asyncio.create_task(self._drain(), name="answer-fetcher")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        try:
            while self._pending:
                await self._share(self._take())
        finally:
            self._is_busy = False

    def _take(self) -> _Pending:
        taken: _Pending = []
        count = 0
        for keys, future in self._pending:
            if taken and count + len(keys) > MOST_A_CALL:
                break
            taken.append((keys, future))
            count += len(keys)
        del self._pending[: len(taken)]
        return taken

    async def _share(self, taken: _Pending) -> None:
        try:
            found = await self._read([key for keys, _ in taken for key in keys])
        except BaseException as exc:
            for _, future in taken:
                if not future.done():
                    future.set_exception(_as_error(exc))
            if not isinstance(exc, Exception):
                raise
            return
        start = 0
        for keys, future in taken:
            if not future.done():
                future.set_result(found[start : start + len(keys)])
            start += len(keys)

    async def _read(self, keys: Sequence[str]) -> list[bytes | None]:
        try:
            if len(keys) <= MOST_A_CALL:
                return await self._call(keys)
            parts = [keys[i : i + MOST_A_CALL] for i in range(0, len(keys), MOST_A_CALL)]
            return [data for part in parts for data in await self._call(part)]
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc

    async def _call_mget(self, keys: Sequence[str]) -> list[bytes | None]:
        head, tail = self._head, self._tail
        words = ("MGET", self._floors_name, *[f"{head}{key}{tail}" for key in keys])
        try:
            found = await send_packed(self._redis, *words)
        except redis_errors.ConnectionError:
            # A pooled connection that a restart had cut; a new one tells whether Redis is really away.
            found = await send_packed(self._redis, *words)
        return self._floors.apply(keys, found)

    async def _call_pipeline(self, keys: Sequence[str]) -> list[bytes | None]:
        pipe = self._redis.pipeline()
        pipe.get(self._floors_name)
        for key in keys:
            pipe.get(f"{self._head}{key}{self._tail}")
        return self._floors.apply(keys, await pipe.execute())


class Floors:
    """Takes away the answers whose computation began at or before their task's floor."""

    def __init__(self) -> None:
        self._text: bytes | None = None
        self._of: dict[str, int] = {}

    def apply(self, keys: Sequence[str], found: Sequence[bytes | None]) -> list[bytes | None]:
        """`found` holds the floors' text, then an answer for each key."""
        text, *answers = found
        if text != self._text:
            pairs = (line.split("=") for line in (text or b"").decode().splitlines())
            self._of = {task: int(ms) for task, ms in pairs}
            self._text = text
        if not self._of:
            return answers
        return [
            data if data is not None and started_at(data) > self._floor(key) else None
            for key, data in zip(keys, answers, strict=True)
        ]

    def _floor(self, key: str) -> int:
        return max(self._of.get("*", 0), self._of.get(key.partition(":")[0], 0))


def started_at(data: bytes) -> int:
    """When the computation of a stored answer began (ms); 0 where the header is not ours."""
    digits = data[21:35]
    return int(digits) if digits.isdigit() else 0


def decode_or_none(data: bytes) -> StoredResult | None:
    """An answer of another format is none: its computation will write one of ours."""
    try:
        return decode_stored(data)
    except ContractError:
        return None


def _as_error(exc: BaseException) -> BaseException:
    if isinstance(exc, Exception):
        return exc
    return UnavailableError("the process is ending")
