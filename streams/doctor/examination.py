"""All looks, one after the other where they share a server, together where they do not."""

from __future__ import annotations

import asyncio

from streams.contracts.errors import ConfigurationError
from streams.doctor.cache import CacheLook
from streams.doctor.computing import HandlersLook, ModelLook
from streams.doctor.configuration import ConfigurationLook
from streams.doctor.disk import DiskLook
from streams.doctor.findings import Examination, Finding, Level, Notes, examine
from streams.doctor.kafka import KafkaLook
from streams.settings import load_settings


async def examine_all(role: str | None = None) -> list[Finding]:
    """Every finding, by part; `role` names the one whose permissions are checked."""
    try:
        settings = load_settings()
    except ConfigurationError as exc:
        return _unreadable(exc)
    looks: dict[str, Examination] = {
        "settings": ConfigurationLook(settings),
        "kafka": KafkaLook(settings, role),
        "redis": CacheLook(settings),
        "model": ModelLook(settings),
        "handlers": HandlersLook(settings),
        "disk": DiskLook(settings),
    }
    found = await asyncio.gather(*(examine(part, look) for part, look in looks.items()))
    return [finding for part in found for finding in part]


def worst(findings: list[Finding]) -> Level:
    levels = list(Level)
    return max((finding.level for finding in findings), key=levels.index, default=Level.OK)


def _unreadable(exc: ConfigurationError) -> list[Finding]:
    """Nothing else can be asked while a setting cannot be read."""
    notes = Notes("settings")
    for line in str(exc).splitlines():
        variable, _, problem = line.partition(": ")
        notes.fail("values", line, f"correct {variable}" if problem else "correct it")
    return notes.findings
