"""What every role does before it starts: it stops here, with one line, where it could not work."""

from __future__ import annotations

import asyncio
import os

import structlog

from streams.doctor.variables import unknown_variables
from streams.settings import Settings, load_settings


def prepare(role: str, *, needs_kafka: bool = True) -> Settings:
    """The role's settings, its logging set up, its servers asked.

    Raises `ConfigurationError` or `UnavailableError` where Kafka or a topic is missing, or where either
    server refuses us. The API starts without Kafka: reads need none.
    """
    from streams.cache.access import require_access
    from streams.kafka.config import checked
    from streams.kafka.topics import TopicAdmin
    from streams.ops.logging import configure_logging

    settings = load_settings()
    configure_logging(settings, role)
    log = structlog.get_logger(__name__)
    for unknown in unknown_variables(os.environ):
        log.warning(str(unknown))
    checked(settings.kafka_security)
    asyncio.run(require_access(settings))
    if needs_kafka:
        TopicAdmin(settings).require()
    return settings
