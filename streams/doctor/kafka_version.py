"""How old a broker is. It does not say its version, but which requests it understands (ApiVersions)."""

from __future__ import annotations

import msgspec
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from streams.kafka.config import checked, ssl_context
from streams.settings import Settings

NEEDS = "Kafka 4 or newer"
#: Kafka 4.0 took away Fetch before version 4 (KIP-896).
_FETCH, _FIRST_FETCH_OF_4 = 1, 4


class BrokerAge(msgspec.Struct, frozen=True):
    text: str
    is_old: bool


async def broker_age(settings: Settings) -> BrokerAge:
    """That of the first broker that answers; old where none tells."""
    security = checked(settings.kafka_security)
    password = security.sasl_password.get_secret_value() if security.sasl_password else None
    host, _, port = settings.kafka_bootstrap_servers.split(",")[0].rpartition(":")
    try:
        connection = await create_conn(
            host,
            int(port),
            client_id="precompute-doctor",
            security_protocol=security.security_protocol,
            ssl_context=ssl_context(security),
            sasl_mechanism=security.sasl_mechanism or "PLAIN",
            sasl_plain_username=security.sasl_username,
            sasl_plain_password=password,
        )
    except (KafkaError, OSError) as exc:
        return BrokerAge(f"not known: {exc}", is_old=True)
    versions = connection._versions  # noqa: SLF001 (asked for on connecting, and shown nowhere else)
    connection.close()
    if versions.get(_FETCH, (0, 0))[0] >= _FIRST_FETCH_OF_4:
        return BrokerAge("Kafka 4.0 or newer", is_old=False)
    return BrokerAge("older than Kafka 4.0", is_old=True)
