"""What the first screen shows."""

from __future__ import annotations

import contextlib
from typing import Any

from streams.cache.presence import living_workers
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import PRIORITIES
from streams.contracts.states import Status
from streams.web.forecast import worth
from streams.web.services import WebServices

MINUTES = 60
#: The sparkline's box, in its own units.
WIDTH, HEIGHT = 240.0, 40.0


async def overview(web: WebServices) -> dict[str, Any]:
    """Raises `UnavailableError` where Redis does not answer; without Kafka the depths are missing."""
    minutes = await web.counters.by_minute(MINUTES)
    totals = await web.counters.totals()
    hour = {name: sum(one.get(name, 0.0) for one in minutes) for name in _names(minutes)}
    workers = await living_workers(web.redis, web.names)
    hits, misses = hour.get("cache_hits", 0.0), hour.get("cache_misses", 0.0)
    return {
        "hit_rate": hits / (hits + misses) if hits + misses else None,
        "reads": hits + misses,
        "completed": hour.get("tasks_completed", 0.0),
        "failed": hour.get("tasks_failed", 0.0),
        "shed": hour.get("skipped:shed", 0.0),
        "saved_s": hour.get("seconds_saved", 0.0),
        "wasted_s": hour.get("seconds_wasted", 0.0),
        "worth": worth(totals),
        "slots": sum(worker.slots for worker in workers),
        "busy": sum(worker.in_progress for worker in workers),
        "workers": len(workers),
        "waiting_readers": web.waiter.count,
        "queues": await _queues(web),
        "counts": await web.search.count(list(Status)),
        "spark": sparkline([one.get("tasks_completed", 0.0) for one in minutes]),
        "hits_spark": sparkline([one.get("cache_hits", 0.0) for one in minutes]),
    }


async def _queues(web: WebServices) -> list[dict[str, Any]]:
    lag: dict[str, int] = {}
    with contextlib.suppress(UnavailableError):
        lag = await web.lag.read()
    oldest = await web.search.oldest_queued()
    topics = web.settings.topics
    rows = [
        {"priority": p, "depth": lag.get(topics.jobs(p)), "oldest": oldest.get(p)}
        for p in reversed(PRIORITIES)
    ]
    most = max((row["depth"] or 0 for row in rows), default=0)
    return [{**row, "share": (row["depth"] or 0) / most if most else 0.0} for row in rows]


def _names(minutes: list[dict[str, float]]) -> set[str]:
    return {name for one in minutes for name in one}


def sparkline(values: list[float]) -> str:
    """The points of an SVG polyline in a box of 240 x 40."""
    most = max(values, default=0.0) or 1.0
    step = WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{i * step:.1f},{HEIGHT - 2 - value / most * (HEIGHT - 4):.1f}" for i, value in enumerate(values)
    )
