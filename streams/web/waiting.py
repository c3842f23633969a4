"""Readers of this process that wait for an answer."""

from __future__ import annotations

from functools import partial

import redis.asyncio as aioredis

from streams.cache.link import sharded_hints
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.cache.waiting import TooManyWaitersError, WaitingRooms
from streams.contracts.results import StoredResult
from streams.ops.metrics import READERS_WAITING
from streams.ops.service import BackgroundService

__all__ = ["AnswerWaiter", "TooManyWaitersError"]


class AnswerWaiter(BackgroundService):
    """Any number of readers on one connection of their own, up to a cap."""

    def __init__(
        self, redis: aioredis.Redis, names: RedisNames, reader: AnswerReader, most_waiters: int
    ) -> None:
        super().__init__()
        self._rooms = WaitingRooms[StoredResult](
            look=reader.stored,
            channel_of=names.done_channel,
            hints=partial(sharded_hints, redis),
            most=most_waiters,
        )

    @property
    def count(self) -> int:
        return self._rooms.count

    async def on_start(self) -> None:
        READERS_WAITING.set_function(lambda: self.count)
        self.spawn(self._rooms.run(), "answer-waiter")

    async def on_stop(self) -> None:
        self._rooms.dismiss()

    async def wait(self, key: str, seconds: float) -> StoredResult | None:
        """The answer as soon as there is one; None when the time is over or the job ended without.

        Raises `TooManyWaitersError` at the cap.
        """
        return await self._rooms.wait(key, seconds)
