"""A worker under measurement: its process, what it is told, and the figures it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from bench.worker.catalogue import Peer, Queue
from bench.worker.installing import interpreter
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
STOP_WITHIN_S = 10.0
SEND_WITHIN_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Servers:
    """The broker and the cache that everybody uses, and a folder for logs and figures."""

    kafka: str
    redis_url: str
    folder: Path

    def flush(self) -> None:
        """Nobody pays for what another one left."""
        redis.Redis.from_url(self.redis_url).flushall()


class Measurement:
    """What a worker is to count, and the files it tells it by (see `peers/tally.py`)."""

    def __init__(self, servers: Servers, name: str, *, mark: int, jobs: int) -> None:
        self.servers = servers
        self.mark = mark
        self.jobs = jobs
        self.name = f"{name}-{uuid.uuid4().hex[:6]}"
        self._report = servers.folder / f"{self.name}.json"
        self.log = servers.folder / f"{self.name}.log"
        self.environment = {
            "BENCH_KAFKA": servers.kafka,
            "BENCH_REDIS": servers.redis_url,
            "BENCH_TOPIC": f"bench-{self.name}",
            "BENCH_MARK": str(mark),
            "BENCH_JOBS": str(jobs),
            "BENCH_REPORT": str(self._report),
        }

    def wait_warm(self, alive: Callable[[], None], within_s: float = 60.0) -> None:
        self._wait(self._report.with_suffix(".warm").exists, alive, within_s, "the end of the warm-up")

    def figures(self, alive: Callable[[], None], within_s: float = 300.0) -> dict[str, float]:
        self._wait(self._report.exists, alive, within_s, f"the end of {self.jobs} jobs")
        found: dict[str, float] = json.loads(self._report.read_text())
        return found

    def is_done(self) -> bool:
        return self._report.exists()

    def latencies(self, count: int, alive: Callable[[], None], within_s: float = 300.0) -> list[float]:
        """Milliseconds of that many urgent jobs."""
        path = self._report.with_suffix(".late")

        def found() -> list[float]:
            return [float(line) for line in path.read_text().splitlines()] if path.exists() else []

        self._wait(lambda: len(found()) >= count, alive, within_s, f"{count} urgent jobs")
        return found()

    def _wait(self, look: Callable[[], bool], alive: Callable[[], None], within_s: float, what: str) -> None:
        def looked() -> bool:
            if look():
                return True
            alive()
            return False

        wait_until(looked, within_s=within_s, what=f"{self.name}: {what}")


class PeerWorker:
    """A peer's script in its own environment; a Kafka peer gets a topic of its own."""

    def __init__(self, peer: Peer, measurement: Measurement) -> None:
        self.peer = peer
        self.measurement = measurement
        self._python = interpreter(peer)
        self._environment = {**os.environ, **measurement.environment, "PYTHONPATH": ""}
        self._process: subprocess.Popen[bytes] | None = None
        if peer.queue is Queue.KAFKA:
            self._topic = measurement.environment["BENCH_TOPIC"]
            client = {"bootstrap.servers": measurement.servers.kafka, "log_level": 4}
            self._producer = Producer({**client, "linger.ms": 1})
            admin = AdminClient(client)
            for future in admin.create_topics([NewTopic(self._topic, PARTITIONS, 1)]).values():
                future.result(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.measurement.servers.flush()

    def start(self, *arguments: str) -> None:
        with self.measurement.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("work", *self.peer.arguments, *arguments),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def alive(self) -> None:
        """Raises with the log's end where the worker has ended."""
        if self._process is not None and self._process.poll() is not None:
            lines = self.measurement.log.read_text(errors="replace").splitlines()
            raise RuntimeError(f"{self.peer.title} ended: {' / '.join(lines[-5:])}")

    def tell(self, verb: str, *numbers: float) -> None:
        """Sends jobs with the peer's own client."""
        subprocess.run(
            self._command(verb, *map(str, numbers)),
            cwd=ROOT,
            env=self._environment,
            check=True,
            timeout=SEND_WITHIN_S,
            capture_output=True,
        )

    def produce(self, jobs: Iterable[dict[str, Any]]) -> None:
        """Sends jobs to the peer's topic."""
        records = [(f"job-{n}", json.dumps(job)) for n, job in enumerate(jobs)]
        for key, value in records:
            while True:
                try:
                    self._producer.produce(self._topic, value, key)
                except BufferError:
                    self._producer.poll(0.1)
                else:
                    break
        assert self._producer.flush(60) == 0

    def _command(self, verb: str, *arguments: str) -> list[str]:
        return [str(self._python), "-m", f"bench.worker.peers.{self.peer.name}", verb, *arguments]
