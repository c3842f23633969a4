"""Speed-up with more processes: of workers whose jobs wait, of streams whose events are all CPU."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import redis

from bench.ingest.running import events
from bench.scale.handler import WAITS_S
from bench.scale.workers import SLOTS, Workers
from bench.worker.running import ROOT, Servers
from streams.cache.names import RedisNames
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until


def workers(servers: Servers, jobs: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for count in counts:
        folder = servers.folder / f"scale-workers-{count}"
        with Workers(folder, servers.kafka, servers.redis_url) as group:
            group.start(*map(str, range(count)))
            group.send(SLOTS * count)
            group.wait_done(60)
            before = _cpu_s(group.system)
            group.send(jobs * count)
            ends = group.wait_done(120)[SLOTS * count :]
            # The first and the last tenth are start and end of the flow, not the flow.
            tenth = len(ends) // 10
            rate = (len(ends) - 2 * tenth) / (ends[-tenth] - ends[tenth])
            cpu_us = (_cpu_s(group.system) - before) / len(ends) * 1e6
        rows.append(_row("workers, jobs that wait 50 ms", count, rate, rows, cpu_us))
        rows[-1]["of the slots' own limit %"] = round(rate / (count * SLOTS / WAITS_S) * 100)
        servers.flush()
    return rows


def streams(servers: Servers, count_events: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    made = events(count_events)
    for count in counts:
        system = SystemUnderTest(
            Path(servers.folder) / f"scale-streams-{count}",
            servers.kafka,
            servers.redis_url,
            predictor="true",
        )
        system.environment["PYTHONPATH"] = str(ROOT)
        with system:
            for number in range(count):
                label = f"streams:{number}"
                role = system.add(label)
                # Each its own folder: Faust keeps its tables' offsets there.
                role._environment["PRECOMPUTE_DATA_DIR"] = str(system.folder / label.replace(":", "-"))  # noqa: SLF001
                role.start()
            for role in system.roles.values():
                role.wait_ready(90)
            rate, cpu_us = _drain(system, servers, made)
        rows.append(_row("streams, with prediction", count, rate, rows, cpu_us))
        servers.flush()
    return rows


def _drain(system: SystemUnderTest, servers: Servers, made: list[tuple[str, bytes]]) -> tuple[float, float]:
    """Events a second and CPU microseconds an event, from sending to the last one counted."""
    client = redis.Redis.from_url(servers.redis_url)
    name = RedisNames(system.settings.namespace).counters
    before = _cpu_s(system)
    began = time.perf_counter()
    for key, value in made:
        system.send(system.topics.users, value, key)
    system.flush()

    def all_counted() -> bool:
        return float(client.hget(name, "events") or 0) >= len(made)  # type: ignore[arg-type]

    wait_until(all_counted, within_s=180, what=f"{len(made)} events")
    elapsed = time.perf_counter() - began
    return len(made) / elapsed, (_cpu_s(system) - before) / len(made) * 1e6


def _row(what: str, count: int, rate: float, before: list[dict[str, Any]], cpu_us: float) -> dict[str, Any]:
    return {
        "what": what,
        "processes": count,
        "per second": round(rate),
        "speed-up": round(rate / before[0]["per second"], 2) if before else 1.0,
        "cpu us each": round(cpu_us, 1),
    }


def _cpu_s(system: SystemUnderTest) -> float:
    return sum(sum(psutil.Process(role.pid or 0).cpu_times()[:2]) for role in system.roles.values())
