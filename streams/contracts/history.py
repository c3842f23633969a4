"""One thing a user did: what histories are made of, on the wire and in models."""

from __future__ import annotations

import msgspec


class Action(msgspec.Struct, frozen=True, array_like=True):
    """One thing a user did. `at_ms` is whole milliseconds since the Unix epoch."""

    name: str
    at_ms: int
    entity: str | None = None
    entity_id: str | None = None
