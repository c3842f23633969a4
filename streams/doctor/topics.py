"""Kafka's topics: there, of the right shape, replicated as the promises need, led by somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import ClusterMetadata

from streams.contracts.topics import Topic
from streams.doctor.findings import Notes
from streams.kafka.topics import Finding, TopicAdmin, compare, wanted_topics
from streams.settings import Settings


class TopicsLook:
    """Its calls block: run it on a thread."""

    def __init__(self, settings: Settings, admin: TopicAdmin, metadata: ClusterMetadata) -> None:
        self._settings = settings
        self._admin = admin
        self._metadata = metadata
        self._wanted = wanted_topics(settings)

    def look(self, notes: Notes) -> None:
        found = {name: len(topic.partitions) for name, topic in self._metadata.topics.items()}
        findings = compare(self._wanted, found)
        for (problem, remedy), topics in _grouped(findings).items():
            notes.fail("topics", f"{_some(topics)}: {problem}", remedy)
        if not findings:
            notes.ok(
                "topics", f"all {len(self._wanted)} are there, with {self._settings.partitions} partitions"
            )
        there = [topic for topic in self._wanted if topic.name in found]
        self._replicas(notes, there)
        self._configuration(notes, there)

    def _replicas(self, notes: Notes, topics: list[Topic]) -> None:
        leaderless, lagging, single = [], [], []
        for topic in topics:
            parts = self._metadata.topics[topic.name].partitions.values()
            leaderless += [topic.name] if any(part.leader < 0 for part in parts) else []
            lagging += [topic.name] if any(len(part.isrs) < len(part.replicas) for part in parts) else []
            single += [topic.name] if any(len(part.replicas) < 2 for part in parts) else []
        if leaderless:
            notes.fail(
                "leaders", f"{_some(leaderless)} has a partition without a leader", "start its brokers"
            )
        if lagging:
            notes.warn(
                "replicas", f"{_some(lagging)} has replicas that are behind", "look at the brokers' logs"
            )
        if single:
            notes.warn(
                "replicas",
                f"{_some(single)} has one replica: a lost disk loses its records",
                "on a cluster of brokers set PRECOMPUTE_REPLICATION=3 before `precompute topics create`",
            )
        if topics and not (leaderless or lagging or single):
            notes.ok("replicas", "every partition has a leader and all of its replicas")

    def _configuration(self, notes: Notes, topics: list[Topic]) -> None:
        if not topics:
            return
        try:
            configured = self._admin.describe([topic.name for topic in topics])
        except KafkaException as exc:
            notes.warn(
                "configuration",
                f"this user may not read it ({exc.args[0].str()})",
                "run the doctor as the user of `precompute access kafka --role topics`",
            )
            return
        wrong = [line for topic in topics for line in self._differences(topic, configured[topic.name])]
        for line in wrong:
            notes.warn("configuration", line, "set it with kafka-configs.sh --alter --entity-type topics")
        if not wrong:
            notes.ok("configuration", "retention, sizes and stamps of every topic are those of the catalogue")

    def _differences(self, topic: Topic, found: Mapping[str, Any]) -> list[str]:
        wanted = topic.broker_config() | {"min.insync.replicas": str(self._settings.min_insync_replicas)}
        return [
            f"{topic.name} has {name}={found[name]}, wanted {value}"
            for name, value in wanted.items()
            if name in found and found[name] != value
        ]


def _grouped(findings: list[Finding]) -> dict[tuple[str, str], list[str]]:
    """The topics that have the same problem: on a new cluster all of them are missing."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        groups.setdefault((one.problem, one.remedy), []).append(one.topic)
    return groups


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"
