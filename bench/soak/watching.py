"""Samples of everything that might grow, and whether it does."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec
import psutil
import redis

from streams.contracts.errors import UnavailableError
from streams.kafka.lag import GroupLag
from tests.support.system import SystemUnderTest

#: The share of a run whose growth is not counted: caches fill, and everybody comes for the first time.
SETTLING = 0.4
#: By what share of its median each may grow over the judged part of a run, as a straight line through it: an
#: allocator that has not come to rest yet grows by a few per cent, a leak of a kilobyte a job by far more.
TOLERANCE = {"memory": 0.10, "file descriptors": 0.10, "Redis": 0.15, "lag": 0.0, "latency": 0.5}
#: What no machine's noise is below: growth of less than this is none.
LEAST = {"memory": 12.0, "file descriptors": 8.0, "Redis": 1.0, "lag": 300.0, "latency": 60.0}


class Sample(msgspec.Struct, frozen=True):
    """At `at_s` of the run. Memory and Redis in MB; latency is one answer's, in ms; lag in records."""

    at_s: float
    memory: dict[str, float]
    descriptors: dict[str, int]
    redis_mb: float
    lag: int
    latency_ms: float


class Watcher:
    def __init__(self, system: SystemUnderTest) -> None:
        self._system = system
        settings = system.settings
        self._redis = redis.Redis.from_url(settings.redis_url.get_secret_value())
        self._lags = (
            GroupLag(settings, settings.group_streams, settings.topics.events),
            GroupLag(settings, settings.group_worker, system.job_topics()),
        )
        self._probe = httpx.Client(base_url=str(system.http.base_url), timeout=30.0, trust_env=False)
        self._began = time.monotonic()
        self.samples: list[Sample] = []

    def sample(self, probe_user: str) -> None:
        """One more; what a restart has taken away at the moment is left out of it."""
        memory, descriptors = {}, {}
        for name, role in self._system.roles.items():
            try:
                process = psutil.Process(role.pid or 0)
                memory[name] = process.memory_info().rss / 1e6
                descriptors[name] = process.num_fds()
            except psutil.Error:
                continue
        self.samples.append(
            Sample(
                at_s=round(time.monotonic() - self._began, 1),
                memory=memory,
                descriptors=descriptors,
                redis_mb=float(self._redis.info("memory")["used_memory"]) / 1e6,  # type: ignore[index]
                lag=self.lag(),
                latency_ms=self._latency_ms(probe_user),
            )
        )

    def lag(self) -> int:
        async def read() -> int:
            return sum([sum((await lag.read()).values()) for lag in self._lags])

        try:
            return asyncio.run(read())
        except UnavailableError:
            return -1

    def _latency_ms(self, user: str) -> float:
        """Of an answer that is computed for the reader."""
        self._system.http.delete("/cache", params={"pattern": f"soak_answer:user:{user}"})
        began = time.perf_counter()
        self._probe.get(f"/cache/soak_answer:user:{user}", headers={"Prefer": "wait=20"})
        return (time.perf_counter() - began) * 1000


def growth(points: Sequence[tuple[float, float]]) -> float:
    """By how much a straight line through the points rises from the first to the last (least squares)."""
    if len(points) < 3 or points[-1][0] == points[0][0]:
        return 0.0
    slope, _ = statistics.linear_regression([at for at, _ in points], [value for _, value in points])
    return float(slope * (points[-1][0] - points[0][0]))


def verdicts(samples: Sequence[Sample], restarted: Sequence[tuple[float, str]]) -> list[dict[str, Any]]:
    """A row for each thing that might grow. A process is judged by its longest life without a restart."""
    rows = []
    for name in sorted({name for sample in samples for name in sample.memory}):
        life = _longest_life(samples, [at for at, role in restarted if role == name])
        rows.append(_row("memory", name, "MB", [(s.at_s, s.memory[name]) for s in life if name in s.memory]))
        fds = [(s.at_s, float(s.descriptors[name])) for s in life if name in s.descriptors]
        rows.append(_row("file descriptors", name, "", fds))
    settled = samples[int(len(samples) * SETTLING) :]
    rows.append(_row("Redis", "used memory", "MB", [(s.at_s, s.redis_mb) for s in settled]))
    rows.append(
        _row("lag", "events and jobs", "records", [(s.at_s, float(s.lag)) for s in settled if s.lag >= 0])
    )
    rows.append(_row("latency", "a read that computes", "ms", [(s.at_s, s.latency_ms) for s in settled]))
    return rows


def _longest_life(samples: Sequence[Sample], restarts: Sequence[float]) -> list[Sample]:
    """The samples of the longest time between two restarts, without its settling part."""
    marks = [0.0, *restarts, float("inf")]
    lives = [[s for s in samples if start <= s.at_s < end] for start, end in itertools.pairwise(marks)]
    longest = max(lives, key=len)
    return longest[int(len(longest) * SETTLING) :]


def _row(kind: str, what: str, unit: str, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    middle = statistics.median(value for _, value in points) if points else 0.0
    rose = growth(points)
    allowed = max(TOLERANCE[kind] * middle, LEAST[kind])
    return {
        "what": f"{kind}, {what}",
        "median": f"{middle:.1f} {unit}".strip(),
        "grew by": f"{rose:+.1f} {unit}".strip(),
        "allowed": f"{allowed:.1f} {unit}".strip(),
        "over s": round(points[-1][0] - points[0][0]) if points else 0,
        "holds": rose <= allowed,
    }
