"""Waiting for an answer: subscribe first, then look, then sleep until told or in doubt.

One connection a process carries every subscription. A message is only a hint to look again; a look every
second or two makes up for one that was lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import redis.asyncio as aioredis
import structlog

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.contracts.errors import UnavailableError
from streams.contracts.keys import CacheKey
from streams.contracts.results import Envelope
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

LOOK_AGAIN_S = 1.0
RECONNECT_S = 0.5
#: Hints after which the wait is over even without a usable answer.
FINAL_HINTS = frozenset({b"completed", b"unavailable", b"failed", b"skipped", b"cancelled"})


class TooManyWaitersError(UnavailableError):
    """The cap on waiting readers is reached; ask again later."""


class AnswerWaiter(BackgroundService):
    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, reader: AnswerReader, most_waiters: int
    ) -> None:
        super().__init__()
        self._redis = redis
        self._names = names
        self._reader = reader
        self._most = most_waiters
        self._count = 0
        self._waiters: defaultdict[str, set[asyncio.Future[bytes]]] = defaultdict(set)
        self._pubsub = redis.pubsub()
        self._subscribed = asyncio.Event()

    async def on_start(self) -> None:
        self.spawn(self._listen(), "answer-hints")

    async def on_stop(self) -> None:
        for futures in self._waiters.values():
            for future in futures:
                future.cancel()
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    async def wait(self, key: CacheKey, seconds: float) -> Envelope | None:
        """The answer as soon as there is one; None when the time is over or the job ended without one."""
        if self._count >= self._most:
            raise TooManyWaitersError("too many readers wait already; ask again in a moment")
        self._count += 1
        try:
            async with asyncio.timeout(seconds):
                return await self._wait(key)
        except TimeoutError:
            return None
        finally:
            self._count -= 1

    async def _wait(self, key: CacheKey) -> Envelope | None:
        channel = self._names.done_channel(str(key))
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        await self._subscribe(channel, future)
        try:
            while True:
                envelope = await self._look(key)
                if envelope is not None:
                    return envelope
                hint = await self._hint(future)
                if hint in FINAL_HINTS:
                    return await self._look(key)
                if future.done():
                    self._waiters[channel].discard(future)
                    future = asyncio.get_running_loop().create_future()
                    self._waiters[channel].add(future)
        finally:
            await self._unsubscribe(channel, future)

    async def _look(self, key: CacheKey) -> Envelope | None:
        try:
            return await self._reader.read(key)
        except UnavailableError:
            return None

    async def _hint(self, future: asyncio.Future[bytes]) -> bytes | None:
        try:
            async with asyncio.timeout(LOOK_AGAIN_S * random.uniform(1.0, 2.0)):  # noqa: S311 (no secret)
                return await asyncio.shield(future)
        except TimeoutError:
            return None

    async def _subscribe(self, channel: str, future: asyncio.Future[bytes]) -> None:
        first = not self._waiters[channel]
        self._waiters[channel].add(future)
        if first:
            try:
                await self._pubsub.ssubscribe(channel)
                self._subscribed.set()
            except AWAY:
                _log.warning("waiting without hints: Redis does not answer")

    async def _unsubscribe(self, channel: str, future: asyncio.Future[bytes]) -> None:
        waiters = self._waiters[channel]
        waiters.discard(future)
        if waiters:
            return
        del self._waiters[channel]
        try:
            await self._pubsub.sunsubscribe(channel)
        except AWAY:
            return

    async def _listen(self) -> None:
        while True:
            await self._subscribed.wait()
            try:
                message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
            except AWAY:
                await asyncio.sleep(RECONNECT_S)
                continue
            except RuntimeError:
                # No channel is subscribed at the moment.
                self._subscribed.clear()
                continue
            if message is not None and message["type"] in ("smessage", "message"):
                self._wake(message["channel"].decode(), message["data"])

    def _wake(self, channel: str, data: bytes) -> None:
        for future in self._waiters.get(channel, ()):
            if not future.done():
                future.set_result(data)
