"""Redis: reachable, new enough, with room, keeping what must not be lost; its clock, its counters."""

from __future__ import annotations

import time
from typing import Any

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from streams.cache.access import refusal
from streams.cache.connection import connect, safe_url
from streams.cache.counters import FleetCounters
from streams.cache.memory import SAFE_POLICIES, CacheMemory, read_memory
from streams.cache.names import RedisNames
from streams.contracts.errors import ConfigurationError, UnavailableError
from streams.doctor.findings import Notes
from streams.settings import Settings

#: Sharded channels (SSUBSCRIBE), which tell waiting readers, came with Redis 7.0; every Valkey has them.
_OLDEST = (7, 0)
_FULL, _NEARLY_FULL = 0.95, 0.8
#: Ages and expiry are compared across machines to about a second.
_CLOCK_OFF_S, _CLOCK_WRONG_S = 1.0, 5.0


class CacheLook:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __call__(self, notes: Notes) -> None:
        client = connect(self._settings)
        try:
            await self._reach(notes, client)
            info = await _info(client)
            _version(notes, info)
            _memory(notes, await read_memory(client))
            _persistence(notes, info)
            await _clock(notes, client)
            await self._counters(notes, client)
        finally:
            await client.aclose()

    async def _reach(self, notes: Notes, client: aioredis.Redis) -> None:
        place = safe_url(self._settings)
        try:
            await client.ping()
        except (RedisError, OSError) as exc:
            reason = refusal(exc, self._settings)
            if reason is not None:
                raise ConfigurationError(f"the Redis at {place} {reason}") from exc
            raise UnavailableError(f"no Redis answers at {place} ({exc}); check REDIS_URL") from exc
        notes.ok("reached", place)

    async def _counters(self, notes: Notes, client: aioredis.Redis) -> None:
        """Redis is where the streams processes add up what each of them saw."""
        counters = FleetCounters(client, RedisNames(self._settings.namespace))
        hour = await counters.last_hour()
        misrouted = int(hour.get("events_misrouted", 0))
        if misrouted:
            notes.warn(
                "publishers",
                f"{misrouted} events of the last hour came on the wrong partition and were sent again",
                "set the publisher's partitioner to murmur2 (librdkafka: partitioner=murmur2_random)",
            )
        else:
            notes.ok("publishers", "no event of the last hour came on a wrong partition")


async def _info(client: aioredis.Redis) -> dict[str, Any]:
    """INFO of the server; on a cluster that of one node."""
    found: dict[str, Any] = await client.info()
    if "redis_version" in found:
        return found
    return dict(next(iter(found.values())))


def _version(notes: Notes, info: dict[str, Any]) -> None:
    product = "Valkey" if "valkey_version" in info else "Redis"
    shown = str(info.get("valkey_version", info["redis_version"]))
    speaks = str(info["redis_version"]).split(".")
    if tuple(int(part) for part in speaks[:2]) < _OLDEST:
        notes.fail(
            "version", f"{product} {shown}", "use Redis 7.0 or newer, or Valkey: readers wait on its channels"
        )
    else:
        notes.ok("version", f"{product} {shown}")


def _memory(notes: Notes, memory: CacheMemory) -> None:
    if memory.policy not in SAFE_POLICIES:
        # Without a limit nothing is evicted yet, and the day somebody sets one is too late.
        notes.fail(
            "eviction",
            f"maxmemory-policy {memory.policy} may evict leases and marks of invalidation",
            f"set maxmemory-policy to {' or '.join(SAFE_POLICIES)}",
        )
    else:
        notes.ok("eviction", f"maxmemory-policy {memory.policy}")
    if not memory.most:
        notes.warn(
            "memory", str(memory), "set maxmemory, so that a full cache refuses writes and not the machine"
        )
        return
    share = memory.used / memory.most
    if share >= _FULL:
        notes.fail(
            "memory", f"{share:.0%} used: {memory}", "give it more, or shorten TTLs: writes are refused soon"
        )
    elif share >= _NEARLY_FULL:
        notes.warn("memory", f"{share:.0%} used: {memory}", "give it more, or shorten TTLs")
    else:
        notes.ok("memory", f"{share:.0%} used: {memory}")


def _persistence(notes: Notes, info: dict[str, Any]) -> None:
    if int(info.get("aof_enabled", 0)):
        notes.ok("persistence", "an append-only file")
    elif int(info.get("rdb_last_save_time", 0)) and int(info.get("rdb_saves", 0)):
        notes.ok("persistence", "snapshots")
    else:
        notes.warn(
            "persistence",
            "none seen: a restart loses answers, counters and API keys, though no work",
            "set appendonly yes",
        )


async def _clock(notes: Notes, client: aioredis.Redis) -> None:
    asked = time.time()
    seconds, micros = await client.time()
    answered = time.time()
    off = abs(seconds + micros / 1e6 - (asked + answered) / 2) - (answered - asked) / 2
    seen = f"{max(0.0, off):.1f} s from ours"
    if off > _CLOCK_WRONG_S:
        notes.fail("clock", seen, "set both clocks by NTP: ages and expiry are judged by them")
    elif off > _CLOCK_OFF_S:
        notes.warn("clock", seen, "set both clocks by NTP")
    else:
        notes.ok("clock", seen)
