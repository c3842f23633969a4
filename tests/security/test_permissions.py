"""What an access list does not name is refused, and the doctor says what is missing."""

from __future__ import annotations

import asyncio

import pytest
import redis
from confluent_kafka import Consumer, KafkaError, Producer

from streams.cache.names import RedisNames
from streams.cache.permissions import API_KINDS, SHARED_KINDS
from streams.doctor.findings import examine
from streams.doctor.kafka import KafkaLook
from streams.kafka.config import librdkafka_config
from streams.kafka.permissions import grant_command, role_grants
from streams.kafka.topics import TopicAdmin, wanted_topics
from streams.local.valkey import LocalValkey
from streams.settings import Settings, load_settings
from tests.security.closed import NAMESPACE, Closed, password_of

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(180)]


class Entrance:
    """Comes in as a role."""

    def __init__(self, closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
        self.closed = closed
        self._monkeypatch = monkeypatch

    def __call__(self, role: str) -> Settings:
        for name, value in self.closed.environment(role).items():
            self._monkeypatch.setenv(name, value)
        return load_settings(
            topic_prefix="allowed.",
            group_streams="allowed-streams",
            group_worker="allowed-worker",
            namespace=NAMESPACE,
            partitions=1,
            replication=1,
            min_insync_replicas=1,
        )


@pytest.fixture
def enter(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> Entrance:
    return Entrance(closed, monkeypatch)


@pytest.fixture
def granted(enter: Entrance) -> Entrance:
    settings = enter("topics")
    enter.closed.grant(settings)
    TopicAdmin(settings).create()
    return enter


def write(settings: Settings, topic: str) -> int | None:
    """The error that a record meets, None where it arrives."""
    producer = Producer(librdkafka_config(settings))
    met: list[KafkaError | None] = []
    producer.produce(topic, b"{}", b"key", on_delivery=lambda error, _: met.append(error))
    assert producer.flush(20) == 0
    return met[0].code() if met[0] is not None else None


def read(settings: Settings, group: str, topic: str) -> int | None:
    """The error that a member of the group meets at its first record, None where it reads."""
    consumer = Consumer(
        librdkafka_config(settings)
        | {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    try:
        consumer.subscribe([topic])
        message = consumer.poll(30)
        assert message is not None, f"{group} met neither a record nor an error in {topic}"
        error = message.error()
        return error.code() if error is not None else None
    finally:
        consumer.close()


DENIED = KafkaError.TOPIC_AUTHORIZATION_FAILED
NO_GROUP = KafkaError.GROUP_AUTHORIZATION_FAILED


def test_each_role_writes_what_it_must_and_nothing_else(granted: Entrance) -> None:
    names = granted("topics").topics
    may = {
        "streams": {names.users, names.jobs(5), names.events_dlq, names.changelog("users")},
        "worker": {names.jobs_dlq},
        "api": {names.users, names.jobs(5)},
        "publisher": {names.users},
        "nobody": set(),
    }
    tried = (names.users, names.jobs(5), names.events_dlq, names.jobs_dlq, names.changelog("users"))
    for role, topics in may.items():
        settings = granted(role)
        met = {topic: write(settings, topic) for topic in tried}
        assert met == {topic: None if topic in topics else DENIED for topic in tried}, role


def test_each_role_reads_as_its_own_group_and_no_other(granted: Entrance) -> None:
    settings = granted("streams")
    names = settings.topics
    assert write(settings, names.users) is None
    assert write(settings, names.jobs(5)) is None
    assert read(settings, "allowed-streams", names.users) is None
    assert read(settings, "allowed-worker", names.users) == NO_GROUP
    assert read(settings, "allowed-streams", names.jobs(5)) == DENIED
    settings = granted("worker")
    assert read(settings, "allowed-worker", names.jobs(5)) is None
    assert read(settings, "allowed-worker", names.users) == DENIED
    assert read(granted("publisher"), "allowed-worker", names.users) == NO_GROUP


def test_the_doctor_tells_a_role_what_it_lacks(granted: Entrance) -> None:
    def permissions(role: str, asked: str | None) -> list[str]:
        found = asyncio.run(examine("kafka", KafkaLook(granted(role), asked)))
        return [f"{one.level}: {one.seen}" for one in found if one.check == "permissions"]

    for role in ("streams", "worker", "api"):
        assert permissions(role, role) == [f"ok: this user may do what {role} must"]
        assert permissions(role, None) == [f"ok: this user may do what {role} must"]
    (lacking,) = permissions("api", "worker")
    assert lacking.startswith("fail: worker may not Read topic allowed.jobs.p01 (and ")


def test_commands_name_every_topic_of_the_catalogue() -> None:
    settings = load_settings()
    roles = role_grants(settings)
    for topic in wanted_topics(settings):
        used = [
            role
            for role in ("streams", "worker", "api")
            for grant in roles[role]
            if topic.name in grant.names
        ]
        assert set(used) == {"streams", "worker", "api"}, topic.name
    line = grant_command("kafka:9092", "precompute-training", roles["training"][1])
    assert line == (
        "kafka-acls.sh --bootstrap-server kafka:9092 --add --allow-principal User:precompute-training "
        "--operation Read --resource-pattern-type prefixed --group precompute-archive-"
    )


def test_every_name_in_redis_is_somebodys() -> None:
    names = RedisNames("n")
    base = names.mirror_marker.removesuffix("mirror")
    kinds = set()
    for name in dir(RedisNames):
        if name.startswith("_") or name in ("namespace", "jobs_prefix"):
            continue
        made = getattr(names, name)
        if callable(made):
            count = made.__code__.co_argcount - 1
            made = made(*(["7"] * count if name != "counters_minute" else [7]))
        kinds.add(str(made).removeprefix(base).split(":")[0])
    strange = kinds - set(SHARED_KINDS) - set(API_KINDS)
    assert not strange, f"say in streams/cache/permissions.py which roles reach {strange}"
    assert set(API_KINDS) | set(SHARED_KINDS) == kinds


def test_each_role_reaches_its_keys_and_no_others(closed_cache: LocalValkey) -> None:
    names = RedisNames(NAMESPACE)

    def refused(role: str, *command: str) -> bool:
        with redis.Redis.from_url(closed_cache.url_of(role, password_of(role))) as client:
            try:
                client.execute_command(*command)
            except redis.exceptions.NoPermissionError:
                return True
            return False

    for role in ("streams", "worker"):
        assert not refused(role, "SET", names.result("a:video:b"), "1")
        assert refused(role, "HGETALL", names.api_keys)
        assert refused(role, "XADD", names.audit, "*", "a", "b")
    assert not refused("api", "HGETALL", names.api_keys)
    assert not refused("client", "GET", names.result("a:video:b"))
    assert refused("client", "SET", names.result("a:video:b"), "1")
    assert refused("client", "ZADD", names.index("a"), "1", "b")
    assert not refused("client", "HINCRBYFLOAT", names.counters, "cache_hits", "1")
    for role in ("streams", "worker", "api", "client"):
        assert refused(role, "FLUSHALL")
        assert refused(role, "CONFIG", "GET", "*")
        assert refused(role, "KEYS", "*")
        assert refused(role, "GET", "others:key")
        assert refused(role, "PUBLISH", "others:channel", "x")
