"""One set of settings feeds librdkafka, and (as SSL context and credentials) aiokafka."""

from __future__ import annotations

import logging
import ssl
from typing import Any

from streams.contracts.errors import ConfigurationError
from streams.ops.certificates import export_expiry
from streams.settings import KafkaSecurity, Settings

#: Where librdkafka's own lines go; it would print them to stderr otherwise.
KAFKA_LOG = logging.getLogger("rdkafka")


def librdkafka_config(settings: Settings) -> dict[str, Any]:
    """The connection part of a confluent-kafka configuration."""
    security = checked(settings.kafka_security)
    conf: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": security.security_protocol,
        # One line for each broken connection is a flood while a broker restarts; errors still arrive.
        "log.connection.close": False,
    }
    optional = {
        "sasl.mechanism": security.sasl_mechanism,
        "sasl.username": security.sasl_username,
        "sasl.password": security.sasl_password.get_secret_value() if security.sasl_password else None,
        "ssl.ca.location": _path(security.ca_file),
        "ssl.certificate.location": _path(security.cert_file),
        "ssl.key.location": _path(security.key_file),
    }
    return conf | {name: value for name, value in optional.items() if value is not None}


def ssl_context(security: KafkaSecurity) -> ssl.SSLContext | None:
    """The context for aiokafka, or None where the protocol has no TLS."""
    if not security.security_protocol.endswith("SSL"):
        return None
    try:
        context = ssl.create_default_context(cafile=_path(security.ca_file))
    except ssl.SSLError as exc:
        raise ConfigurationError(
            f"PRECOMPUTE_KAFKA_CA_FILE: {security.ca_file} is no PEM certificate"
        ) from exc
    if security.cert_file is not None:
        try:
            # Without a password of ours OpenSSL would ask the terminal for one.
            context.load_cert_chain(security.cert_file, _path(security.key_file), password="")
        except ssl.SSLError as exc:
            raise ConfigurationError(
                f"PRECOMPUTE_KAFKA_KEY_FILE: {security.key_file} is not the key of "
                f"PRECOMPUTE_KAFKA_CERT_FILE={security.cert_file}, or needs a password; "
                "give a PEM pair whose key is not encrypted"
            ) from exc
    return context


def checked(security: KafkaSecurity) -> KafkaSecurity:
    """Refuses combinations that the libraries would take for something weaker."""
    sasl = security.security_protocol.startswith("SASL")
    complete = security.sasl_mechanism and security.sasl_username and security.sasl_password
    if sasl and not complete:
        raise ConfigurationError(
            f"PRECOMPUTE_KAFKA_SECURITY_PROTOCOL={security.security_protocol} needs "
            "PRECOMPUTE_KAFKA_SASL_MECHANISM, _SASL_USERNAME and _SASL_PASSWORD"
        )
    if security.sasl_username and not sasl:
        raise ConfigurationError(
            "PRECOMPUTE_KAFKA_SASL_USERNAME is set but PRECOMPUTE_KAFKA_SECURITY_PROTOCOL is "
            f"{security.security_protocol}, which would send no credentials; set SASL_SSL or SASL_PLAINTEXT"
        )
    _check_files(security)
    return security


def _check_files(security: KafkaSecurity) -> None:
    """They are there, belong together and are used at all."""
    files = {"CA": security.ca_file, "CERT": security.cert_file, "KEY": security.key_file}
    given = {name: path for name, path in files.items() if path is not None}
    for name, path in given.items():
        if not path.is_file():
            raise ConfigurationError(f"PRECOMPUTE_KAFKA_{name}_FILE: no such file: {path}")
    if given and not security.security_protocol.endswith("SSL"):
        raise ConfigurationError(
            f"PRECOMPUTE_KAFKA_{next(iter(given))}_FILE is set but PRECOMPUTE_KAFKA_SECURITY_PROTOCOL is "
            f"{security.security_protocol}, which encrypts nothing; set SSL or SASL_SSL"
        )
    if ("CERT" in given) != ("KEY" in given):
        raise ConfigurationError(
            "PRECOMPUTE_KAFKA_CERT_FILE and PRECOMPUTE_KAFKA_KEY_FILE go together; set both or neither"
        )
    ssl_context(security)
    for kind, name in (("ca", "CA"), ("client", "CERT")):
        if name in given:
            export_expiry(kind, given[name])


def _path(path: Any) -> str | None:
    return str(path) if path is not None else None
