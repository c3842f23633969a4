"""Makes the topics true, or says which are not and what mends them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata, ConfigResource, NewTopic, ResourceType

from streams.contracts.errors import ConfigurationError, UnavailableError
from streams.contracts.topics import Topic, catalogue
from streams.kafka.complaints import Complaints
from streams.kafka.config import KAFKA_LOG, librdkafka_config
from streams.settings import Settings

#: Long enough for a broker that is just starting, short enough for a person who mistyped its address.
ANSWER_WITHIN_S = 10.0
#: A broker that refuses us says so at once; asking on would only keep that person waiting.
LOOK_AT_COMPLAINTS_S = 2.0


class Finding(msgspec.Struct, frozen=True):
    """One topic that is not as it must be."""

    topic: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.problem}; {self.remedy}"


def wanted_topics(settings: Settings) -> tuple[Topic, ...]:
    return catalogue(settings.topics, settings.partitions)


def compare(wanted: Iterable[Topic], partitions: dict[str, int]) -> list[Finding]:
    """What is wrong, given the partition count of each topic that exists."""
    findings = []
    for topic in wanted:
        found = partitions.get(topic.name)
        if found is None:
            findings.append(Finding(topic.name, "missing", "run `precompute topics create`"))
        elif found != topic.partitions:
            findings.append(
                Finding(
                    topic.name,
                    f"has {found} partitions, wanted {topic.partitions}",
                    f"set PRECOMPUTE_PARTITIONS={found} for every role if all topics have {found}, "
                    "or delete the topic and run `precompute topics create`",
                )
            )
    return findings


class TopicAdmin:
    """Creates and checks the catalogue on one cluster. Its calls block: keep them off an event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._complaints = Complaints(settings)
        conf = librdkafka_config(settings) | {"error_cb": self._complaints, "log_level": 0}
        self._admin = AdminClient(conf, logger=KAFKA_LOG)

    def metadata(self) -> ClusterMetadata:
        """Brokers and topics; raises `UnavailableError` that says why no broker answers."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while True:
            try:
                return self._admin.list_topics(timeout=LOOK_AT_COMPLAINTS_S)
            except KafkaException as exc:
                self._admin.poll(0)
                if self._complaints.is_final or time.monotonic() >= deadline:
                    raise UnavailableError(self._complaints.reason) from exc

    def partitions(self) -> dict[str, int]:
        """Partition counts of the topics that exist; raises `UnavailableError` where no broker answers."""
        return {name: len(topic.partitions) for name, topic in self.metadata().topics.items()}

    def check(self) -> list[Finding]:
        return compare(wanted_topics(self._settings), self.partitions())

    def require(self) -> None:
        """Raises `ConfigurationError` with the first line that a person needs."""
        findings = self.check()
        if findings:
            more = f" (and {len(findings) - 1} more: `precompute topics check`)" if len(findings) > 1 else ""
            raise ConfigurationError(f"{findings[0]}{more}")

    def create(self) -> list[str]:
        """Makes what is missing and returns its names; what exists is left as it is."""
        existing = self.partitions()
        missing = [topic for topic in wanted_topics(self._settings) if topic.name not in existing]
        futures = self._admin.create_topics([self._new(t) for t in missing]) if missing else {}
        created = []
        for name, future in futures.items():
            try:
                future.result(timeout=30.0)
            except KafkaException as exc:
                if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise ConfigurationError(f"topic {name} could not be made: {exc.args[0].str()}") from exc
            else:
                created.append(name)
        return created

    def _new(self, topic: Topic) -> NewTopic:
        config = {"min.insync.replicas": str(self._settings.min_insync_replicas), **topic.broker_config()}
        return NewTopic(
            topic.name, topic.partitions, replication_factor=self._settings.replication, config=config
        )

    def describe(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The broker's configuration of each topic."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        found = self._admin.describe_configs(resources)
        return {
            resource.name: {key: entry.value for key, entry in future.result(timeout=ANSWER_WITHIN_S).items()}
            for resource, future in found.items()
        }


def creation_commands(settings: Settings) -> list[str]:
    """The commands for clusters where somebody else makes topics (`topics create --print`)."""
    lines = []
    for topic in wanted_topics(settings):
        config = {"min.insync.replicas": str(settings.min_insync_replicas), **topic.broker_config()}
        options = " ".join(f"--config {name}={value}" for name, value in config.items())
        lines.append(
            f"kafka-topics.sh --bootstrap-server {settings.kafka_bootstrap_servers} --create --if-not-exists "
            f"--topic {topic.name} --partitions {topic.partitions} "
            f"--replication-factor {settings.replication} {options}"
        )
    return lines
