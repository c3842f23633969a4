"""Why a broker does not answer, in the words of who has to mend it.

librdkafka's calls only say that they timed out; what went wrong it tells the error callback.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError

from streams.settings import KafkaSecurity, Settings

_ALERTS = ("certificate required", "alert bad certificate", "alert unknown ca", "alert handshake failure")


class Complaints:
    """An `error_cb`; `reason` explains the last complaint that tells something."""

    def __init__(self, settings: Settings) -> None:
        self._servers = settings.kafka_bootstrap_servers
        self._security = settings.kafka_security
        self._told: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 (its name for local errors)
            self._told = error

    @property
    def is_final(self) -> bool:
        """Whether trying again is no use: it is about who may come in, not about a server that is away."""
        return self._told is not None and _remedy(self._told.str(), self._security) is not None

    @property
    def reason(self) -> str:
        """One line: what was seen, and what to change."""
        if self._told is None:
            return self._silence()
        text = self._told.str()
        remedy = _remedy(text, self._security)
        seen = text.partition(": ")[2].partition(" (after ")[0] or text
        if remedy is None:
            return f"no Kafka broker answers at {self._servers} ({seen}); check KAFKA_BOOTSTRAP_SERVERS"
        return f"the Kafka broker at {self._servers} {remedy}"

    def _silence(self) -> str:
        """A listener that wants TLS closes a connection without it, and says nothing."""
        protocol = self._security.security_protocol
        if protocol.endswith("SSL"):
            return f"no Kafka broker answers at {self._servers}; check KAFKA_BOOTSTRAP_SERVERS"
        return (
            f"no Kafka broker answers at {self._servers} as {protocol}; check KAFKA_BOOTSTRAP_SERVERS, and "
            "where its listener speaks TLS set PRECOMPUTE_KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL"
        )


def _remedy(text: str, security: KafkaSecurity) -> str | None:
    """What the broker does and what mends it; None where the text is about a server that is away."""
    for pattern, remedy in _REMEDIES:
        if pattern in text:
            return remedy(text, security)
    if any(alert in text for alert in _ALERTS):
        return _client_certificate(text, security)
    return None


def _server_certificate(_: str, security: KafkaSecurity) -> str:
    by = f"by {security.ca_file}" if security.ca_file is not None else "by an authority of this system"
    return (
        f"shows a certificate that is not signed {by}, has ended, or is for another host; set "
        "PRECOMPUTE_KAFKA_CA_FILE to the authority of the brokers' certificates"
    )


def _client_certificate(_: str, security: KafkaSecurity) -> str:
    shown = f"refuses our certificate {security.cert_file}" if security.cert_file else "wants a certificate"
    return (
        f"{shown}; set PRECOMPUTE_KAFKA_CERT_FILE and PRECOMPUTE_KAFKA_KEY_FILE to a pair that it knows the "
        "authority of"
    )


def _credentials(_: str, security: KafkaSecurity) -> str:
    return (
        f"refuses the user {security.sasl_username} with {security.sasl_mechanism}; check "
        "PRECOMPUTE_KAFKA_SASL_USERNAME and PRECOMPUTE_KAFKA_SASL_PASSWORD"
    )


def _mechanism(text: str, security: KafkaSecurity) -> str:
    known = text.partition("supported mechanisms: ")[2].partition(" (after")[0]
    return (
        f"does not know {security.sasl_mechanism}; set PRECOMPUTE_KAFKA_SASL_MECHANISM to one of its own: "
        f"{known or 'it names none'}"
    )


def _no_sasl(_: str, security: KafkaSecurity) -> str:
    return (
        f"asks for no user there, PRECOMPUTE_KAFKA_SECURITY_PROTOCOL={security.security_protocol} sends one; "
        "set PLAINTEXT or SSL, or name its SASL listener in KAFKA_BOOTSTRAP_SERVERS"
    )


def _no_tls(_: str, security: KafkaSecurity) -> str:
    return (
        f"speaks no TLS there, PRECOMPUTE_KAFKA_SECURITY_PROTOCOL={security.security_protocol} asks for it; "
        "name its TLS listener in KAFKA_BOOTSTRAP_SERVERS, or set another protocol"
    )


#: Texts of librdkafka 2.16 in the order they are looked for.
_REMEDIES: tuple[tuple[str, Callable[[str, KafkaSecurity], str]], ...] = (
    ("certificate verify failed", _server_certificate),
    ("not valid in current SASL state", _no_sasl),
    ("Unsupported SASL mechanism", _mechanism),
    ("SASL authentication error", _credentials),
    ("PLAINTEXT broker listener", _no_tls),
    ("wrong version number", _no_tls),
    ("SSL connection closed by peer", _no_tls),
)
