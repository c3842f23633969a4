"""What tells every process's memory that answers were invalidated."""

from __future__ import annotations

import msgspec


class BackplaneMessage(msgspec.Struct, frozen=True):
    """The parts of an invalidated pattern, `*` for any; `at` in milliseconds since the epoch."""

    task: str
    entity: str
    entity_id: str
    at: int

    def matches(self, key: str) -> bool:
        parts = (self.task, self.entity, self.entity_id)
        return all(want in ("*", part) for want, part in zip(parts, key.split(":"), strict=False))
