"""The roles as real processes on the real broker and cache, and what a test does with them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.contracts.cloudevents import encode_binary
from streams.contracts.events import Event, decode_data, topic_of
from streams.contracts.jobs import Job
from streams.contracts.states import FINAL
from streams.contracts.tasks import BUILTIN_TASKS
from streams.contracts.topics import TopicNames
from streams.contracts.triggers import BUILTIN_TRIGGERS, TriggerTable
from streams.kafka.topics import TopicAdmin
from streams.local.ports import free_port
from streams.local.roles import RoleProcess
from streams.settings import load_settings, variable_of
from streams.work.intake import worker_topics
from tests.support.waiting import wait_until

PARTITIONS = 4
SOURCE = "tests"
TRIGGERS = TriggerTable(BUILTIN_TRIGGERS, BUILTIN_TASKS)


class SystemUnderTest:
    """Topics, roles and clients under a prefix of its own."""

    def __init__(
        self,
        folder: Path,
        bootstrap: str,
        redis_url: str,
        *,
        media_roots: Sequence[Path] = (),
        **settings: str,
    ) -> None:
        self.id = uuid.uuid4().hex[:8]
        self.folder = folder
        self.topics = TopicNames(f"t{self.id}.", f"streams-{self.id}")
        names = {
            "kafka_bootstrap_servers": bootstrap,
            "redis_url": redis_url,
            "topic_prefix": self.topics.prefix,
            "namespace": f"t{self.id}",
            "group_streams": self.topics.group_streams,
            "group_worker": f"worker-{self.id}",
            "partitions": str(PARTITIONS),
            "replication": "1",
            "min_insync_replicas": "1",
        }
        self.settings = load_settings(**names)
        port = free_port()
        self.environment: dict[str, str] = {
            **{variable_of(name): value for name, value in names.items()},
            "PRECOMPUTE_PORT": str(port),
            "PRECOMPUTE_MEDIA_ROOTS": ":".join(str(root) for root in media_roots),
            "PRECOMPUTE_DATA_DIR": str(folder / "streams"),
            "PRECOMPUTE_ARTIFACT_DIR": str(folder / "artifacts"),
            "PRECOMPUTE_LOG_FORMAT": "console",
            **{f"PRECOMPUTE_{name.upper()}": value for name, value in settings.items()},
        }
        self.roles: dict[str, RoleProcess] = {}
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/api/precompute", timeout=20.0, trust_env=False
        )
        self.producer = _producer(bootstrap)

    def __enter__(self) -> Self:
        TopicAdmin(self.settings).create()
        return self

    def __exit__(self, *_: object) -> None:
        for role in reversed(self.roles.values()):
            role.stop()
        self.http.close()

    def start(self, *roles: str) -> None:
        """Starts roles, each by its name or `role:name`, and waits until they are ready."""
        for label in roles:
            self.add(label).start()
        for label in roles:
            self.roles[label].wait_ready()

    def add(self, label: str) -> RoleProcess:
        """A role that is not started yet."""
        role, _, name = label.partition(":")
        log = self.folder / f"{label.replace(':', '-')}.log"
        self.roles[label] = RoleProcess(role, self.environment, log, name=name or role)
        return self.roles[label]

    def job_topics(self) -> list[str]:
        return worker_topics(self.topics)

    def send(
        self,
        topic: str,
        value: bytes,
        key: str | bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        **where: int,
    ) -> None:
        """A raw record; `flush` makes it sure."""
        while True:
            try:
                self.producer.produce(topic, value, key=key, headers=list(headers), **where)
            except BufferError:
                self.producer.poll(0.1)
            else:
                return

    def flush(self) -> None:
        assert self.producer.flush(60) == 0

    def publish(
        self, event_type: str, user_id: str, data: Mapping[str, Any], *, event_id: str | None = None
    ) -> list[Job]:
        """Publishes an event and answers the jobs it must cause."""
        raw = msgspec.json.encode({"user_id": user_id, **data})
        event = Event(
            type=event_type,
            source=SOURCE,
            id=event_id or uuid.uuid4().hex,
            time_ms=int(time.time() * 1000),
            user_id=user_id,
            data=decode_data(event_type, raw),
            raw_data=raw,
        )
        value, headers = encode_binary(event_type, raw, source=SOURCE, event_id=event.id)
        self.send(topic_of(event_type, self.topics), value, user_id, headers)
        self.flush()
        return TRIGGERS.jobs(event, input_version=0, now_ms=event.time_ms)

    def job(self, job_id: str) -> dict[str, Any] | None:
        response = self.http.get(f"/jobs/{job_id}")
        return response.json()["job"] if response.status_code == 200 else None

    def ended(self, jobs: Sequence[Job], *, within_s: float = 60.0) -> dict[str, dict[str, Any]]:
        """Waits for the end of the jobs; their records by task."""

        def look() -> dict[str, dict[str, Any]] | None:
            found = {job.task: self.job(job.id) for job in jobs}
            done = {task: one for task, one in found.items() if one is not None and one["status"] in FINAL}
            return done if len(done) == len(jobs) else None

        return wait_until(look, within_s=within_s, what=f"the end of {[job.task for job in jobs]}")

    def answer(self, key: str) -> dict[str, Any] | None:
        response = self.http.get(f"/cache/{key}")
        return response.json() if response.status_code == 200 else None

    def records(self, topic: str, *, at_least: int = 0, within_s: float = 30.0) -> list[Any]:
        """Everything a topic holds; waits for `at_least` records."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka_bootstrap_servers,
                "group.id": f"reader-{uuid.uuid4().hex}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        try:
            numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
            ends = {
                number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]
                for number in numbers
            }
            found: list[Any] = []
            deadline = time.monotonic() + within_s
            while len(found) < max(at_least, sum(ends.values())):
                assert time.monotonic() < deadline, (
                    f"{topic}: {len(found)} of {max(at_least, sum(ends.values()))}"
                )
                found += [m for m in consumer.consume(500, timeout=0.1) if m.error() is None]
            return found
        finally:
            consumer.close()


def _producer(bootstrap: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 1,
            # What was sent first comes first, through a killed broker too: tests know the newest event by it.
            "enable.idempotence": True,
            "message.max.bytes": 8 * 1024 * 1024,
        }
    )
