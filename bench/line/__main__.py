"""`python -m bench.line [--quick]`: the figures of the whole line on one machine."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import redis
from confluent_kafka import Consumer, TopicPartition

from bench.report import calibration_us, percentile, write
from streams.cache.names import RedisNames
from streams.contracts.jobs import Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.kafka.lag import GroupLag
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

USERS = 500
PACED_PER_S = 200
DRAINED_WITHIN_S = 300.0


def cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def rss_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6


class Line:
    def __init__(self, system: SystemUnderTest, *, quick: bool) -> None:
        self._system = system
        self._n = 10_000 if quick else 60_000
        self._repeats = 50 if quick else 200
        self._paced_s = 5 if quick else 20
        self._redis = redis.Redis.from_url(system.settings.redis_url.get_secret_value())
        self._names = RedisNames(system.settings.namespace)
        self.rows: list[dict[str, Any]] = []

    def row(self, what: str, **figures: Any) -> None:
        self.rows.append({"what": what, **figures})

    def event_to_jobs(self) -> None:
        """Published event until all six jobs of an upload can be read from Kafka."""
        system = self._system
        consumer = Consumer(
            {
                "bootstrap.servers": system.settings.kafka_bootstrap_servers,
                "group.id": uuid.uuid4().hex,
                "auto.offset.reset": "latest",
                "fetch.wait.max.ms": 5,
            }
        )
        topic = system.topics.jobs(8)
        places = [
            TopicPartition(topic, n) for n in consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ]
        for place in places:
            # From the end of now: a subscription finds its place too late for the first event.
            place.offset = consumer.get_watermark_offsets(place, timeout=10)[1]
        consumer.assign(places)
        times = []
        for number in range(self._repeats):
            video = f"v{number}-{uuid.uuid4().hex[:6]}"
            began = time.perf_counter()
            system.publish("video.uploaded", f"u{number % 50}", {"video_id": video, "uri": "/nowhere.mp4"})
            seen = 0
            while seen < 6:
                for message in consumer.consume(6, timeout=0.05):
                    seen += message.error() is None and message.key().endswith(video.encode())
            times.append((time.perf_counter() - began) * 1000)
        consumer.close()
        self.row(
            "event published to six jobs in Kafka, idle",
            p50_ms=round(percentile(times, 0.5), 1),
            p99_ms=round(percentile(times, 0.99), 1),
        )

    def job_to_answer(self) -> None:
        """A no-op job in Kafka until its answer can be read."""
        self._drain()
        times = []
        for number in range(self._repeats):
            key = CacheKey("noop", "thing", f"latency-{number}-{uuid.uuid4().hex[:6]}")
            times.append(self._answer(key, 8) * 1000)
        self.row(
            "no-op job sent to answer readable, idle",
            p50_ms=round(percentile(times, 0.5), 1),
            p99_ms=round(percentile(times, 0.99), 1),
        )

    def _drain(self) -> None:
        """Until the workers have done what the events before have caused."""
        settings = self._system.settings
        lag = GroupLag(settings, settings.group_worker, settings.topics.all_jobs)
        what = "the end of the jobs that events asked for"
        wait_until(lambda: not sum(asyncio.run(lag.read()).values()), within_s=DRAINED_WITHIN_S, what=what)

    def _answer(self, key: CacheKey, priority: int) -> float:
        """Seconds from sending a job until its answer can be read."""
        self._send_job(key, priority)
        began = time.perf_counter()
        self._system.flush()
        while not self._redis.exists(self._names.result(str(key))):
            pass
        return time.perf_counter() - began

    def _send_job(self, key: CacheKey, priority: int) -> None:
        now = int(time.time() * 1000)
        job = new_job(
            key,
            cause=uuid.uuid4().hex,
            user_id="u",
            priority=priority,
            why=Why.BATCH,
            created_at=now,
            input_version=now,
        )
        self._system.send(self._system.topics.jobs(priority), encode_job(job), job.key)

    def cpu_per_event(self, what: str) -> None:
        """Events of many users in bulk: slices of hundreds of events."""
        self._measure(what, "streams", "events", self._n, lambda: self._send_events(_events(self._n)))

    def cpu_per_event_paced(self, what: str) -> None:
        """Events that come one by one: each is a slice of its own, with a flush and a commit a second."""
        n = PACED_PER_S * self._paced_s
        self._measure(what, "streams", "events", n, lambda: self._send_events(_events(n), PACED_PER_S))

    def _send_events(self, events: list[bytes], per_s: float = 0.0) -> None:
        began = time.perf_counter()
        for number, value in enumerate(events):
            if per_s:
                time.sleep(max(0.0, began + number / per_s - time.perf_counter()))
            self._system.send(self._system.topics.users, value, f"b{number % USERS}")
            if per_s or number % 1000 == 0:
                self._system.producer.poll(0)
        self._system.flush()

    def cpu_per_job(self, task: str, what: str) -> None:
        def send() -> None:
            for number in range(self._n):
                self._send_job(CacheKey(task, "thing", f"{task}-{number}-{uuid.uuid4().hex[:6]}"), 5)
                if number % 1000 == 0:
                    self._system.producer.poll(0)
            self._system.flush()

        self._measure(what, "worker", "tasks_completed", self._n, send)

    def _measure(self, what: str, role: str, counter: str, n: int, send: Callable[[], None]) -> None:
        """CPU and rate from the first counted unit to the last; `loops` is the CPU in fixed loops."""
        name, pid = self._names.counters, self._system.roles[role].pid or 0

        def counted() -> float:
            return float(self._redis.hget(name, counter) or 0)

        before, loop, cpu = counted(), calibration_us(), cpu_s(pid)
        began = time.perf_counter()
        send()
        wait_until(lambda: counted() >= before + n or None, within_s=300, what=f"{n} {counter}")
        elapsed = time.perf_counter() - began
        cpu_us = (cpu_s(pid) - cpu) / n * 1e6
        loop = (loop + calibration_us()) / 2
        self.row(
            what,
            cpu_us=round(cpu_us, 1),
            loops=round(cpu_us / loop, 2),
            per_s=round(n / elapsed),
            rss_mb=round(rss_mb(pid)),
        )


def _events(n: int) -> list[bytes]:
    return [
        msgspec.json.encode(
            {
                "type": "user.acted",
                "id": uuid.uuid4().hex,
                "data": {
                    "user_id": f"b{number % USERS}",
                    "action": ACTIONS[(number * 7 + number // USERS) % len(ACTIONS)],
                },
            }
        )
        for number in range(n)
    ]


ACTIONS = ("view_dashboard", "view_campaign_analytics", "view_roas", "view_ctr", "view_hook", "view_captions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, LocalKafka() as kafka, LocalValkey() as valkey:
        for predictor in ("true", "false"):
            system = SystemUnderTest(
                Path(folder) / predictor,
                kafka.bootstrap_servers,
                valkey.url,
                handler_modules="bench.worker.noop",
                workers="64",
                predictor=predictor,
            )
            system.environment["PYTHONPATH"] = str(Path.cwd())
            with system:
                system.start("streams")
                line = Line(system, quick=quick)
                if predictor == "true":
                    line.event_to_jobs()
                    line.cpu_per_event("event with prediction (history, prediction, mirror)")
                    line.cpu_per_event_paced(f"event with prediction, {PACED_PER_S} a second")
                    system.start("worker", "api")
                    line.job_to_answer()
                    line.cpu_per_job("noop", "no-op job")
                    line.cpu_per_job("noop_batch", "no-op job, batches of 64")
                    pid = system.roles["api"].pid
                    line.row("api", rss_mb=round(rss_mb(pid or 0)))
                else:
                    line.cpu_per_event("event without prediction")
                    line.cpu_per_event_paced(f"event without prediction, {PACED_PER_S} a second")
                rows += line.rows
    write("line", "The line from event to answer", "make bench BENCH_ARGS=line", rows)


if __name__ == "__main__":
    main()
