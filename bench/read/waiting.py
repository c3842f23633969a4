"""Ten thousand readers that wait for ten thousand keys in one process."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psutil
import redis.asyncio as aioredis
import uvloop

from bench.read.client import NAMES, stored
from bench.resident import peak_mib
from streams.cache.codec import encode_stored
from streams.cache.hints import HintListener, hint_connections
from streams.cache.reader import AnswerReader
from streams.cache.waiting import WaitingRooms
from streams.contracts.results import StoredResult
from tests.support.eventually import eventually


def measure(url: str, waiters: int) -> list[dict[str, Any]]:
    return [uvloop.run(_measure(url, waiters))]


async def _measure(url: str, waiters: int) -> dict[str, Any]:
    redis = aioredis.Redis.from_url(url)
    reader = AnswerReader(redis, NAMES)
    connections = hint_connections(redis.connection_pool)
    rooms = WaitingRooms[StoredResult](
        look=reader.stored,
        channel_of=NAMES.done_channel,
        hints=lambda on_hint, on_gap: HintListener(connections, on_hint=on_hint, on_gap=on_gap),
        most=waiters,
    )
    running = asyncio.create_task(rooms.run())
    keys = [f"hook_analysis:video:w{number}" for number in range(waiters)]
    await reader.stored(keys[:1])
    before = psutil.Process().memory_info().rss
    woken: dict[str, float] = {}

    async def wait(key: str) -> None:
        if await rooms.wait(key, 120) is not None:
            woken[key] = time.perf_counter()

    tasks = [asyncio.create_task(wait(key)) for key in keys]
    await eventually(lambda: rooms.count == waiters)
    await asyncio.sleep(1.0)
    memory = psutil.Process().memory_info().rss - before
    clients = (await redis.info("clients"))["connected_clients"]
    began = time.perf_counter()
    written = await _write(redis, keys)
    await asyncio.gather(*tasks)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await redis.aclose()
    delays = sorted(woken[key] - written[key] for key in keys)
    return {
        "waiters": waiters,
        "connections": clients,
        "memory MB": round(memory / 2**20, 1),
        "written in s": round(max(written.values()) - began, 3),
        "woken after p50 ms": round(delays[len(delays) // 2] * 1000, 1),
        "woken after p99 ms": round(delays[int(len(delays) * 0.99)] * 1000, 1),
        "last woken after ms": round(delays[-1] * 1000, 1),
        "peak MB": round(peak_mib(), 1),
    }


async def _write(redis: Any, keys: list[str]) -> dict[str, float]:
    """As workers do: the answer, then the hint. When each was written."""
    written = {}
    for start in range(0, len(keys), 250):
        part = keys[start : start + 250]
        pipe = redis.pipeline(transaction=False)
        for key in part:
            pipe.set(NAMES.result(key), encode_stored(stored(key)), ex=600)
            pipe.spublish(NAMES.done_channel(key), "completed")
        await pipe.execute()
        now = time.perf_counter()
        written.update(dict.fromkeys(part, now))
        await asyncio.sleep(0)
    return written
