"""One process of the fleet does a chore; when it goes, another takes over within seconds."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import redis.asyncio as aioredis
import structlog

from streams.cache.connection import AWAY
from streams.cache.names import RedisNames
from streams.contracts.errors import UnavailableError
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)

#: Renewed at every turn; an owner that is silent for so long has lost it.
HELD_FOR_S = 15

_RENEW = """
local held = redis.call('GET', KEYS[1])
if not held then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) return 1 end
if held == ARGV[1] then redis.call('EXPIRE', KEYS[1], ARGV[2]) return 1 end
return 0
"""


class Chore:
    """Two owners at once, after a pause of a process, must do no harm: chores are made for that."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames, name: str) -> None:
        self.name = name
        self._redis = redis
        self._lock = names.lock(name)
        self._token = uuid.uuid4().hex

    async def is_ours(self) -> bool:
        """Takes or renews it; raises redis-py's errors."""
        return bool(await self._redis.eval(_RENEW, 1, self._lock, self._token, HELD_FOR_S))


class ChoreService(BackgroundService):
    """Calls `turn` every so often, in the one process whose chore it is.

    A turn may raise redis-py's errors and `UnavailableError`: it is taken again then. What else it raises is
    a bug, and ends the service.
    """

    def __init__(self, chore: Chore, turn: Callable[[], Awaitable[None]], *, every_s: float) -> None:
        super().__init__()
        self._chore = chore
        self._turn_of_work = turn
        self._every_s = every_s

    async def on_start(self) -> None:
        self.spawn(self._run(), self._chore.name)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                if await self._chore.is_ours():
                    await self._turn_of_work()
            except (*AWAY, UnavailableError) as exc:
                _log.warning("a chore waits", chore=self._chore.name, error=str(exc))
