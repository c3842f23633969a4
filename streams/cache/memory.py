"""How much room Redis has, and what it does when there is none."""

from __future__ import annotations

from typing import Any

import msgspec
import redis.asyncio as aioredis
from redis.asyncio.cluster import RedisCluster

from streams.cache.cluster import is_cluster
from streams.cache.connection import AWAY
from streams.contracts.errors import UnavailableError

#: They evict what was used longest ago, or nothing: a lease in use is neither old nor evicted.
#: `volatile-ttl` takes leases first, the shortest of all TTLs; `allkeys-*` also what has no TTL.
SAFE_POLICIES = ("noeviction", "volatile-lru")


class CacheMemory(msgspec.Struct, frozen=True):
    """Bytes; `most` is 0 where nothing limits it."""

    used: int
    most: int
    policy: str

    @property
    def problem(self) -> str | None:
        """What an operator should know, or None."""
        if self.most and self.policy not in SAFE_POLICIES:
            return (
                f"maxmemory-policy {self.policy} may evict leases and marks of invalidation; "
                f"set {' or '.join(SAFE_POLICIES)}"
            )
        if self.most and self.used >= self.most:
            return "Redis is full: it refuses writes or evicts answers; reads go on"
        return None

    def __str__(self) -> str:
        if not self.most:
            return f"{self.used} bytes, no limit"
        return f"{self.used} of {self.most} bytes, {self.policy}"


async def read_memory(redis: aioredis.Redis) -> CacheMemory:
    """That of the server, on a cluster of its fullest node.

    Raises `UnavailableError` where Redis does not answer.
    """
    try:
        if is_cluster(redis):
            nodes: dict[str, Any] = await redis.info("memory", target_nodes=RedisCluster.PRIMARIES)
            found = [_memory_of(info) for info in nodes.values()]
        else:
            found = [_memory_of(await redis.info("memory"))]
    except AWAY as exc:
        raise UnavailableError(f"Redis does not answer: {exc}") from exc
    return max(found, key=lambda one: one.used / one.most if one.most else 0.0)


def _memory_of(info: dict[str, Any]) -> CacheMemory:
    return CacheMemory(
        used=int(info.get("used_memory", 0)),
        most=int(info.get("maxmemory", 0)),
        policy=str(info.get("maxmemory_policy", "noeviction")),
    )
