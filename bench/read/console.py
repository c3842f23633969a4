"""The console's screens over a ledger with a long history: how long they take, how much they weigh."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import redis.asyncio as aioredis
import uvloop

from bench.read.history import write_history
from bench.report import percentile
from streams.cache.names import RedisNames
from streams.local.valkey import LocalValkey
from tests.support.system import SystemUnderTest

TURNS = 20
_PAGES = {
    "overview": "",
    "jobs": "/jobs",
    "jobs that failed": "/jobs?status=failed",
    "jobs of a user": "/jobs?user=u77",
    "dead letters": "/letters",
    "cache": "/cache",
    "predictor": "/predictor",
    "workers": "/workers",
    "audit": "/audit",
}


def measure(folder: Path, bootstrap: str, jobs: int) -> list[dict[str, Any]]:
    """A Redis of its own: a million jobs are most of a gigabyte."""
    with (
        LocalValkey(config={"appendonly": "no"}) as valkey,
        SystemUnderTest(folder, bootstrap, valkey.url) as system,
    ):
        uvloop.run(_fill(valkey.url, RedisNames(system.settings.namespace), jobs))
        system.start("api")
        root = str(system.http.base_url).removesuffix("/api/precompute/")
        with httpx.Client(trust_env=False, timeout=30.0) as client:
            return [
                {"page": name, "jobs": jobs, **_page(client, f"{root}/console{path}")}
                for name, path in _PAGES.items()
            ]


async def _fill(url: str, names: RedisNames, jobs: int) -> None:
    async with aioredis.Redis.from_url(url) as redis:
        await write_history(redis, names, jobs, ends_at=time.time())


def _page(client: httpx.Client, url: str) -> dict[str, Any]:
    """The first load apart: it meets cold connections and templates."""
    times = []
    for _ in range(TURNS + 1):
        began = time.perf_counter()
        response = client.get(url)
        times.append(time.perf_counter() - began)
        assert response.status_code == 200, response.text
    return {
        "first ms": round(times[0] * 1000, 1),
        "p50 ms": round(percentile(times[1:], 0.5) * 1000, 1),
        "worst ms": round(max(times[1:]) * 1000, 1),
        "kB": round(len(response.content) / 1000, 1),
    }
