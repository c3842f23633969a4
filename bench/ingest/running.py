"""Runs one system at a time: its topics, its process, and the CPU of the events between two marks."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import psutil
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from bench.worker.catalogue import FAUST, QUIX, Peer
from bench.worker.installing import interpreter
from bench.worker.running import PARTITIONS, ROOT, STOP_WITHIN_S, Measurement, Servers
from streams.cache.names import RedisNames
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

#: Not measured: imports, connections, the first page faults.
WARM_UP = 1_000
USERS = 500
ACTIONS = ("view_dashboard", "view_campaign_analytics", "view_roas", "view_ctr", "view_hook", "view_captions")

Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """`peer` names the environment that its script runs in; None is the project's own."""

    title: str
    how: str
    script: str
    peer: Peer | None

    @property
    def named(self) -> str:
        return f"{self.title} {self.peer.version()}" if self.peer is not None else self.title


CONTENDERS = (
    Contender(title="raw loop", how="consume 500, a dictionary, produce", script="raw", peer=None),
    Contender(title="Quix Streams", how="stateful apply, to_topic", script="quix", peer=QUIX),
    Contender(title="Faust", how="a table write and a send an event", script="faust", peer=FAUST),
)


def events(count: int) -> list[tuple[str, bytes]]:
    """Keys and values; the same for everybody."""
    made = []
    for n in range(count):
        user = f"b{n % USERS}"
        action = ACTIONS[(n * 7 + n // USERS) % len(ACTIONS)]
        body = {"type": "user.acted", "id": uuid.uuid4().hex, "data": {"user_id": user, "action": action}}
        made.append((user, msgspec.json.encode(body)))
    return made


def run_contender(servers: Servers, contender: Contender, count: int) -> Figures:
    measurement = Measurement(servers, f"ingest-{contender.script}", mark=WARM_UP, jobs=count)
    topic = measurement.environment["BENCH_TOPIC"]
    _create(servers, topic, f"{topic}-jobs")
    producer = Producer(
        {"bootstrap.servers": servers.kafka, "linger.ms": 1, "partitioner": "murmur2_random", "log_level": 4}
    )
    python = interpreter(contender.peer or _OURS)
    with measurement.log.open("ab") as log:
        process = subprocess.Popen(
            # Faust takes its command from the arguments; the others look at none.
            [str(python), "-m", f"bench.ingest.peers.{contender.script}", "worker"],
            cwd=ROOT,
            env={
                **os.environ,
                **measurement.environment,
                "BENCH_PARTITIONS": str(PARTITIONS),
                "PYTHONPATH": "",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def alive() -> None:
        if process.poll() is not None:
            end = measurement.log.read_text(errors="replace").splitlines()[-5:]
            raise RuntimeError(f"{contender.title} ended: {' / '.join(end)}")

    try:
        _send(producer, topic, events(WARM_UP))
        measurement.wait_warm(alive)
        _send(producer, topic, events(count))
        return measurement.figures(alive)
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


_OURS = Peer(name="none", title="", package="", queue=QUIX.queue, how="", keeps_results=False)


def run_ours(servers: Servers, count: int, *, predictor: bool) -> Figures:
    """The streams role as it runs in production: validation, mirror, metrics, dead letters and all."""
    system = SystemUnderTest(
        servers.folder / f"ours-{uuid.uuid4().hex[:6]}",
        servers.kafka,
        servers.redis_url,
        handler_modules="bench.ingest.handler",
        predictor=str(predictor).lower(),
    )
    system.environment["PYTHONPATH"] = str(ROOT)
    client = redis.Redis.from_url(servers.redis_url)
    counters = RedisNames(system.settings.namespace).counters

    def counted() -> int:
        return int(float(client.hget(counters, "events") or 0))  # type: ignore[arg-type]

    with system:
        system.start("streams")
        process = psutil.Process(system.roles["streams"].pid or 0)
        _send(system.producer, system.topics.users, events(WARM_UP))
        wait_until(lambda: counted() >= WARM_UP or None, within_s=60, what="the warm-up")
        cpu = sum(process.cpu_times()[:2])
        _send(system.producer, system.topics.users, events(count))
        wait_until(lambda: counted() >= WARM_UP + count or None, within_s=300, what=f"{count} events")
        figures = {
            "cpu_s": sum(process.cpu_times()[:2]) - cpu,
            "rss_mb": process.memory_info().rss / 1e6,
        }
    servers.flush()
    return figures


def _create(servers: Servers, *topics: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers.kafka, "log_level": 4})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics]).values():
        future.result(30)


def _send(producer: Producer, topic: str, records: Sequence[tuple[str, bytes]]) -> None:
    for key, value in records:
        while True:
            try:
                producer.produce(topic, value, key)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    assert producer.flush(60) == 0
