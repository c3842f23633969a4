"""One process of the fleet does a chore; when it goes, another takes over within seconds."""

from __future__ import annotations

import uuid

import redis.asyncio as aioredis

from streams.cache.names import RedisNames

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
        self._redis = redis
        self._name = names.lock(name)
        self._token = uuid.uuid4().hex

    async def is_ours(self) -> bool:
        """Takes or renews it; raises redis-py's errors."""
        return bool(await self._redis.eval(_RENEW, 1, self._name, self._token, HELD_FOR_S))
