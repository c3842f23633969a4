"""A hit in memory, a hit in Redis and a batch, next to bare redis-py and cashews, in one process."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import redis.asyncio as aioredis
import uvloop
from cashews import Cache

from streams.cache.codec import decode_stored, encode_stored
from streams.cache.names import RedisNames
from streams.client import Precompute
from streams.contracts.jobs import Why
from streams.contracts.results import StoredResult

NAMES = RedisNames("bench")
KEYS = [f"ctr_prediction:video:v{number}" for number in range(50)]
#: About what a dashboard's answer weighs.
RESULT = {"ctr": 0.031, "interval": [0.028, 0.034], "samples": 12_000, "notes": ["bench"] * 20}

Call = Callable[[], Awaitable[Any]]


def measure(url: str, rounds: int, calls: int) -> list[dict[str, Any]]:
    return uvloop.run(_measure(url, rounds, calls))


def stored(key: str) -> StoredResult:
    now = int(time.time() * 1000)
    return StoredResult(
        key=key, task="ctr_prediction", job_id="b" * 24, why=Why.PREDICTED, handler_version="1",
        input_version=1,        started_at=now, computed_at=now, expires_at=now + 3_600_000, compute_ms=1.0,
        result=msgspec.Raw(msgspec.json.encode(RESULT)),
    )  # fmt: skip


async def _measure(url: str, rounds: int, calls: int) -> list[dict[str, Any]]:
    redis = aioredis.Redis.from_url(url)
    for key in KEYS:
        await redis.set(NAMES.result(key), encode_stored(stored(key)))
    cashews, near = Cache(), Cache()
    cashews.setup(url, client_side=False)
    near.setup(url, client_side=True)
    for cache in (cashews, near):
        await cache.init()
        for key in KEYS:
            await cache.set(key, RESULT, expire=3600)
    async with (
        Precompute(redis_url=url, namespace="bench", memory_ttl_s=600, early_beta=0) as ours,
        Precompute(redis_url=url, namespace="bench", memory_ttl_s=0, early_beta=0) as bare,
    ):
        await ours.get(KEYS[0])
        while ours.peek(KEYS[0]) is None:
            await asyncio.sleep(0.01)
            await ours.get(KEYS[0])
        found = await _rounds(_subjects(redis, ours, bare, cashews, near), rounds, calls)
    await cashews.close()
    await near.close()
    await redis.aclose()
    return found


def _subjects(
    redis: Any, ours: Precompute, bare: Precompute, cashews: Cache, near: Cache
) -> dict[str, tuple[str, int, Call]]:
    """Label to its group, its share of the calls, and one call; a group divides by its first."""
    names = [NAMES.result(key) for key in KEYS]

    async def get_and_decode() -> Any:
        return msgspec.json.decode(decode_stored(await redis.get(names[0])).result)

    async def mget_and_decode() -> Any:
        return [msgspec.json.decode(decode_stored(one).result) for one in await redis.mget(names)]

    return {
        "redis-py GET, decoded": ("one", 1, get_and_decode),
        "ours, from Redis": ("one", 1, lambda: bare.get(KEYS[0])),
        "cashews, from Redis": ("one", 1, lambda: cashews.get(KEYS[0])),
        "ours, from memory": ("memory", 20, lambda: ours.get(KEYS[0])),
        "cashews, client side": ("memory", 20, lambda: near.get(KEYS[0])),
        "redis-py MGET of 50, decoded": ("fifty", 1, mget_and_decode),
        "ours, 50 keys": ("fifty", 1, lambda: bare.get_many(KEYS)),
        "cashews, 50 keys": ("fifty", 1, lambda: cashews.get_many(*KEYS)),
    }


async def _rounds(
    subjects: dict[str, tuple[str, int, Call]], rounds: int, calls: int
) -> list[dict[str, Any]]:
    """One after the other in each round, so that a busy machine is busy for all of them alike."""
    times: dict[str, list[float]] = {label: [] for label in subjects}
    for _ in range(rounds):
        for label, (_, share, call) in subjects.items():
            count = calls * share
            began = time.perf_counter()
            for _ in range(count):
                await call()
            times[label].append((time.perf_counter() - began) / count * 1e6)
    one = times["redis-py GET, decoded"]
    rows = []
    for label, (group, _, _) in subjects.items():
        base = next(name for name, (other, _, _) in subjects.items() if other == group)
        rows.append(
            {
                "what": label,
                "us": round(statistics.median(times[label]), 2),
                "times the first of its kind": _ratio(times[label], times[base]),
                "times one GET": _ratio(times[label], one),
            }
        )
    return rows


def _ratio(left: Sequence[float], right: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(left, right, strict=True)), 3)
