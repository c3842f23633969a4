"""The doctor's look at Kafka, at a broker that has what it complains about."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from streams.doctor.findings import Level
from streams.doctor.kafka import KafkaLook
from streams.kafka.topics import TopicAdmin, wanted_topics
from streams.settings import Settings
from tests.integration.doctor.findings import look
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka


@pytest.fixture
def made(settings: Settings) -> Settings:
    create(settings)
    return settings


def create(settings: Settings, *, but: int = 0) -> None:
    """Makes the topics, and waits until the broker leads them, all but so many of the right size."""
    admin = TopicAdmin(settings)
    admin.create()
    wait_until(lambda: len(admin.check()) == but, what="the topics")
    places = [TopicPartition(topic.name, 0) for topic in wanted_topics(settings)]
    client = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    wait_until(lambda: leads(client, places), what="the topics' leader")


def leads(client: AdminClient, places: list[TopicPartition]) -> bool:
    """Whether the broker tells offsets of them."""
    futures = client.list_offsets(dict.fromkeys(places, OffsetSpec.latest()), request_timeout=10)
    return all(future.exception() is None for future in futures.values())


def configure(settings: Settings, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    topics = TopicAdmin(settings)
    wait_until(lambda: topics.describe([topic])[topic][name] == value, what=f"{name} of {topic}")


async def test_all_is_well(made: Settings) -> None:
    found = await look(KafkaLook(made, "worker"))
    assert found.failing == []
    assert found.one("version").seen == "Kafka 4.0 or newer"
    assert found.one("topics").seen == "all 21 are there, with 2 partitions"
    assert found.one("configuration").level == Level.OK
    assert found.one("permissions").seen == "this user may do what worker must"
    # One broker has no other to keep a copy.
    assert found.one("replicas").level == Level.WARN


async def test_no_broker() -> None:
    found = await look(KafkaLook(Settings(kafka_bootstrap_servers="127.0.0.1:1")))
    assert found.failing == ["answers"]
    assert "no Kafka broker answers at 127.0.0.1:1" in found.one("answers").seen
    assert found.one("answers").remedy == "check KAFKA_BOOTSTRAP_SERVERS"


async def test_missing_topics_are_one_line(settings: Settings) -> None:
    found = await look(KafkaLook(settings))
    assert found.failing == ["topics"], found.findings
    assert found.one("topics").seen == f"{settings.topics.videos} (and 20 more): missing"
    assert found.one("topics").remedy == "run `precompute topics create`"


async def test_a_topic_of_another_size(settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for future in admin.create_topics([NewTopic(settings.topics.users, 3)]).values():
        future.result()
    create(settings, but=1)
    found = await look(KafkaLook(settings))
    assert found.one("topics").seen == f"{settings.topics.users}: has 3 partitions, wanted 2"
    assert found.failing == ["topics"], found.findings


async def test_a_topic_that_keeps_too_little(made: Settings) -> None:
    configure(made, made.topics.users, "retention.ms", "1000")
    found = await look(KafkaLook(made))
    assert found.one("configuration").level == Level.WARN
    assert found.one("configuration").seen == (
        f"{made.topics.users} has retention.ms=1000, wanted {30 * 86_400_000}"
    )


async def test_a_clock_that_is_ahead(made: Settings) -> None:
    # The broker stamps events; here a publisher does, so that they come from a future of our choice.
    configure(made, made.topics.users, "message.timestamp.type", "CreateTime")
    producer = Producer({"bootstrap.servers": made.kafka_bootstrap_servers})
    producer.produce(made.topics.users, b"{}", timestamp=int((time.time() + 600) * 1000))
    assert producer.flush(10) == 0
    found = await look(KafkaLook(made))
    assert found.one("clock").level == Level.FAIL
    assert "stamped 600 s later" in found.one("clock").seen or "stamped 59" in found.one("clock").seen


@pytest.fixture
def member(made: Settings) -> Iterator[Consumer]:
    """Somebody in the worker's group."""
    consumer = Consumer({"bootstrap.servers": made.kafka_bootstrap_servers, "group.id": made.group_worker})
    consumer.subscribe([made.topics.jobs(5)])
    wait_until(lambda: consumer.poll(0.1) is None and consumer.assignment(), what="an assignment")
    yield consumer
    consumer.close()


async def test_groups_and_what_they_have_to_read(made: Settings, member: Consumer) -> None:
    producer = Producer({"bootstrap.servers": made.kafka_bootstrap_servers})
    producer.produce(made.topics.jobs(5), b"{}")
    assert producer.flush(10) == 0
    found = await look(KafkaLook(made))
    groups = {finding.seen: finding.level for finding in found.findings if finding.check == "groups"}
    assert groups == {
        f"{made.group_streams} has no member": Level.WARN,
        f"{made.group_worker} is stable with 1 members": Level.OK,
    }
    lags = [finding.seen for finding in found.findings if finding.check == "lag"]
    assert lags == [
        f"{made.group_streams} has 0 records to read",
        f"{made.group_worker} has 1 records to read",
    ]


async def test_half_a_configuration(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECOMPUTE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    found = await look(KafkaLook(Settings(kafka_bootstrap_servers=kafka)))
    assert found.failing == ["answers"]
    assert "PRECOMPUTE_KAFKA_SASL_MECHANISM" in found.one("answers").seen
