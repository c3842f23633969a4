"""Which handler versions the fleet has: the answers of one that nobody runs any more are invalid.

Each worker says every few seconds what it runs. While a new version is rolled out both are spoken of, and the
answers of both are served. Once the last worker of the old one is silent, whatever was computed up to then is
invalidated as if somebody had asked for `task:*` at that time: what the new version computed since stays.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import cast

import redis.asyncio as aioredis
import structlog

from streams.cache.connection import AWAY
from streams.cache.invalidation import Invalidator
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.keys import KeyPattern
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

DECLARE_EVERY_S = 5.0
#: Longer than a worker is silent in a pause or while Redis is restarted.
GONE_AFTER_S = 60.0


class HandlerVersions(BackgroundService):
    """Declares this worker's versions, and invalidates the answers of those that are gone."""

    def __init__(
        self,
        redis: aioredis.Redis,
        names: RedisNames,
        versions: Mapping[str, str],
        invalidator: Invalidator,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """`versions`: task type to the version of its handler here."""
        super().__init__()
        self._redis = redis
        self._names = names
        self._versions = dict(versions)
        self._invalidator = invalidator
        self._clock = clock

    async def on_start(self) -> None:
        self.spawn(self._declare_forever(), "handler-versions")

    async def declare(self) -> list[str]:
        """Says what runs here; the "task version" pairs that nobody runs any more, now invalidated.

        Each step may be repeated by any worker: a version is forgotten only after its answers are invalid.
        """
        now = millis(self._clock.now())
        pipe = self._redis.pipeline(transaction=False)
        if self._versions:
            pipe.hset(
                self._names.versions,
                mapping={f"{task} {version}": now for task, version in self._versions.items()},
            )
        pipe.hgetall(self._names.versions)
        declared = cast("dict[bytes, bytes]", (await pipe.execute())[-1])
        gone = _gone({pair.decode(): int(at) for pair, at in declared.items()})
        for pair, at in gone.items():
            task, _, version = pair.partition(" ")
            # A job may have begun just before its worker's silence.
            until = at + millis(DECLARE_EVERY_S)
            count = await self._invalidator.invalidate(KeyPattern(task), at_ms=until)
            if await self._redis.hdel(self._names.versions, pair):
                _log.info(
                    "a handler version is gone; its answers are invalid",
                    task=task,
                    version=version,
                    answers=count,
                )
        return list(gone)

    async def _declare_forever(self) -> None:
        while True:
            try:
                await self.declare()
            except (*AWAY, UnavailableError):
                # Said again in a moment; nothing was forgotten.
                pass
            await asyncio.sleep(DECLARE_EVERY_S)


def _gone(declared: Mapping[str, int]) -> dict[str, int]:
    """The pairs that are silent although another version of their task is not, and since when (ms)."""
    latest: defaultdict[str, int] = defaultdict(int)
    for pair, at in declared.items():
        task = pair.partition(" ")[0]
        latest[task] = max(latest[task], at)
    limit = millis(GONE_AFTER_S)
    return {pair: at for pair, at in declared.items() if at < latest[pair.partition(" ")[0]] - limit}
