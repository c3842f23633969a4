"""The fleet in numbers: GET /metrics and GET /queue."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.cache.counters import FleetCounters
from streams.cache.ledger import LedgerReader
from streams.cache.names import RedisNames
from streams.cache.presence import living_workers
from streams.contracts.jobs import PRIORITIES
from streams.contracts.tasks import TaskCatalogue
from streams.contracts.topics import TopicNames
from streams.kafka.lag import GroupLag

RAW = ("cache_hits", "cache_misses", "tasks_queued", "tasks_completed", "tasks_failed", "cache_invalidations")


class StatisticsSources(msgspec.Struct, frozen=True, kw_only=True):
    redis: Any
    names: RedisNames
    tasks: TaskCatalogue
    counters: FleetCounters
    ledger: LedgerReader
    lag: GroupLag
    topics: TopicNames


class FleetStatistics:
    def __init__(self, sources: StatisticsSources) -> None:
        self._of = sources

    async def metrics(self) -> dict[str, Any]:
        """Counters since installation, the last hour beside them; times in seconds."""
        totals = await self._of.counters.totals()
        hour = await self._of.counters.last_hour()
        workers = await living_workers(self._of.redis, self._of.names)
        lag = await self._of.lag.read()
        return {
            "cache_hit_rate": _hit_rate(totals),
            "total_requests": _count(totals, "cache_hits") + _count(totals, "cache_misses"),
            "queue_size": sum(lag.values()),
            "avg_processing_time": _averages(totals, self._of.tasks),
            "workers_running": sum(worker.slots for worker in workers),
            "replicas": len(workers),
            "raw_metrics": {name: _count(totals, name) for name in RAW},
            "last_hour": {
                "cache_hit_rate": _hit_rate(hour),
                "avg_processing_time": _averages(hour, self._of.tasks),
                **{name: _count(hour, name) for name in RAW},
            },
        }

    async def costs(self) -> dict[str, float]:
        """Mean computing seconds of each task that was ever computed."""
        return _averages(await self._of.counters.totals(), self._of.tasks)

    async def queue(self) -> dict[str, Any]:
        """Waiting jobs per task (the ledger's word) and per priority (Kafka's)."""
        by_task = await self._of.ledger.count_by_task()
        lag = await self._of.lag.read()
        by_priority = {str(p): lag.get(self._of.topics.jobs(p), 0) for p in reversed(PRIORITIES)}
        return {
            "queue_stats": {**by_task, "total": sum(by_task.values())},
            "by_priority": {**by_priority, "total": sum(by_priority.values())},
        }


def _count(counters: dict[str, float], name: str) -> int:
    return int(counters.get(name, 0))


def _hit_rate(counters: dict[str, float]) -> float:
    hits = counters.get("cache_hits", 0.0)
    reads = hits + counters.get("cache_misses", 0.0)
    return round(100.0 * hits / reads, 2) if reads else 0.0


def _averages(counters: dict[str, float], tasks: TaskCatalogue) -> dict[str, float]:
    averages = {}
    for task in tasks:
        computed = counters.get(f"computed:{task}", 0.0)
        if computed:
            averages[task] = round(counters.get(f"seconds:{task}", 0.0) / computed, 4)
    return averages
