"""The other ways into Kafka: a client's certificate, and passwords by PLAIN; by either client library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from streams.kafka.config import checked, librdkafka_config, ssl_context
from streams.kafka.topics import TopicAdmin
from streams.local.valkey import LocalValkey
from streams.settings import KafkaSecurity, load_settings
from tests.security.closed import Closed, MutualKafka, password_of
from tests.support.certificates import Authority
from tests.support.system import SystemUnderTest

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(180)]


@pytest.fixture
def certified(
    mutual_kafka: MutualKafka,
    authority: Authority,
    closed_cache: LocalValkey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SystemUnderTest]:
    """All roles with one certificate."""
    files = authority.issue("everybody")
    for name, value in {
        "SECURITY_PROTOCOL": "SSL",
        "CA_FILE": str(authority.ca),
        "CERT_FILE": str(files.certificate),
        "KEY_FILE": str(files.key),
    }.items():
        monkeypatch.setenv(f"PRECOMPUTE_KAFKA_{name}", value)
    with SystemUnderTest(tmp_path, mutual_kafka.bootstrap_servers, closed_cache.url) as system:
        system.producer = Producer(librdkafka_config(system.settings) | {"partitioner": "murmur2_random"})
        system.start("streams", "worker", "api")
        yield system


def test_every_role_works_by_certificate(certified: SystemUnderTest) -> None:
    jobs = certified.publish("user.logged_in", "u1", {})
    assert {one["status"] for one in certified.ended(jobs).values()} == {"completed"}
    metrics = httpx.get(certified.roles["worker"].metrics_url, trust_env=False).text
    for kind in ("ca", "client"):
        assert f'precompute_certificate_expiry_timestamp_seconds{{kind="{kind}"}}' in metrics


async def test_passwords_by_plain(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in closed.environment("topics", sasl_mechanism="PLAIN").items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    closed.grant(settings)
    TopicAdmin(settings).partitions()
    security = checked(KafkaSecurity())
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        security_protocol=security.security_protocol,
        ssl_context=ssl_context(security),
        sasl_mechanism="PLAIN",
        sasl_plain_username="topics",
        sasl_plain_password=password_of("topics"),
    )
    await producer.start()
    await producer.stop()
