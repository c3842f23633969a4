"""`python -m bench.capacity`: what events, jobs and answers take up, and what small handlers cost.

The figures that the sizing of an installation needs beside those of `bench.line` and `bench.handlers`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import psutil
import redis

from bench.report import write_parts
from handlers.config import HandlerConfig
from handlers.local_run import LocalRun, local_context
from handlers.registry import load_handlers
from handlers.sample_clip import make_clip
from streams.contracts.jobs import encode_job
from streams.local.kafka import LocalKafka
from streams.local.sample import Sample, make_sample
from streams.local.valkey import LocalValkey
from streams.settings import Settings
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

SMALL_TASKS = (
    "variant_generation",
    "variant_scoring",
    "roas_prediction",
    "dashboard_data",
    "campaign_analytics",
)
REPEATS = 30
ACTIONS = 10


def handler_costs(sample: Sample) -> list[dict[str, Any]]:
    """CPU seconds of the handlers that decode no video, each with the needs it has computed before."""
    registry = load_handlers()
    rows = []
    for task in SMALL_TASKS:
        data: dict[str, Any] = sample.campaign if task != "dashboard_data" else {"account": sample.account}
        payload = msgspec.json.encode({"user_id": sample.user_id, "campaign_id": sample.campaign_id, **data})
        context = local_context("e1", config=HandlerConfig(llm_provider="grammar"))
        asyncio.run(LocalRun(registry, context).run(task, payload))
        spent = []
        for _ in range(REPEATS):
            run = LocalRun(registry, context)
            began = time.process_time()
            asyncio.run(run.run(task, payload))
            whole = time.process_time() - began
            share = run.seconds[task] / max(sum(run.seconds.values()), 1e-9)
            spent.append(whole * share)
        rows.append({"task": task, "cpu_s": round(sum(spent) / len(spent), 5)})
    return rows


class Footprint:
    """Bytes in Redis by kind of key and in Kafka by topic after a known number of events."""

    def __init__(self, system: SystemUnderTest, kafka_folder: Path) -> None:
        self._system = system
        self._folder = kafka_folder
        self._redis = redis.Redis.from_url(system.settings.redis_url.get_secret_value())

    def publish(self, users: int, sample: Sample) -> int:
        """Logs users in with an account of their own, each with some actions; the jobs asked for."""
        jobs = []
        for number in range(users):
            jobs += self._system.publish("user.logged_in", f"u{number}", {"account": sample.account})
        for number in range(users * ACTIONS):
            value = {
                "type": "user.acted",
                "id": uuid.uuid4().hex,
                "data": {"user_id": f"u{number % users}", "action": ("view", "edit", "open")[number % 3]},
            }
            self._system.send(self._system.topics.users, msgspec.json.encode(value), f"u{number % users}")
        self._system.flush()
        wait_until(
            lambda: self._count("result") >= users or None, within_s=180, what="an answer for every user"
        )
        return len(jobs)

    def _count(self, kind: str) -> int:
        return sum(1 for key in self._redis.scan_iter(count=5000) if _kind(key) == kind)

    def redis_rows(self, users: int) -> list[dict[str, Any]]:
        sizes: dict[str, list[int]] = defaultdict(list)
        for key in self._redis.scan_iter(count=5000):
            sizes[_kind(key)].append(int(self._redis.memory_usage(key, samples=0) or 0))
        return [
            {"kind": kind, "keys": len(found), "bytes_per_user": round(sum(found) / users, 1)}
            for kind, found in sorted(sizes.items())
        ]

    def kafka_rows(self) -> list[dict[str, Any]]:
        rows = []
        prefix = self._system.topics.prefix
        for topic in (self._system.topics.users, self._system.topics.jobs(7)):
            stored = sum(p.stat().st_size for p in self._folder.rglob(f"{topic}-*/*.log"))
            records = len(self._system.records(topic))
            rows.append({"topic": topic.removeprefix(prefix), "bytes_per_record": round(stored / records, 1)})
        return rows


def _kind(key: bytes) -> str:
    parts = key.decode().split(":")
    return ":".join(parts[2:4]) if parts[2] == "{ledger}" else parts[2]


def _rss(system: SystemUnderTest) -> int:
    return int(psutil.Process(system.roles["streams"].pid).memory_info().rss)


def measure(users: int, folder: Path) -> dict[str, list[dict[str, Any]]]:
    clip = make_clip(folder / "clip.mp4", seconds=6)
    sample = make_sample(Path(clip.path), Settings())
    costs = handler_costs(sample)
    data = folder / "kafka"
    with (
        LocalKafka(data=data, keep_data=True) as kafka,
        LocalValkey() as valkey,
        SystemUnderTest(folder, kafka.bootstrap_servers, valkey.url, workers="8") as system,
    ):
        system.start("streams", "worker", "api")
        footprint = Footprint(system, data)
        before = _rss(system)
        jobs = footprint.publish(users, sample)
        grown = (_rss(system) - before) / users
        job = system.publish("user.logged_in", "one", {"account": sample.account})[0]
        records = [
            {"what": "a job of a login, as JSON", "bytes": len(encode_job(job)), "of": jobs},
            {"what": "memory of streams for a user", "bytes": round(grown), "of": users},
        ]
        return {
            "Handlers": costs,
            "Redis": footprint.redis_rows(users),
            "Kafka": footprint.kafka_rows(),
            "Records": records,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    users = 200 if parser.parse_args().quick else 2000
    with tempfile.TemporaryDirectory() as folder:
        parts = measure(users, Path(folder))
    write_parts(
        "capacity",
        "What an installation is sized by",
        "make bench BENCH_ARGS=capacity",
        parts,
        keep=users > 200,
    )


if __name__ == "__main__":
    main()
