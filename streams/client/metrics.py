"""What a client counts."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(slots=True)
class ClientMetrics:
    """Counts since the client was made. `as_dict` is for any metrics system; prometheus.py for one."""

    memory_hits: int = 0
    hits: int = 0
    stale: int = 0
    unavailable: int = 0
    misses: int = 0
    errors: int = 0
    #: Copies served because the cache was away or too slow.
    fail_safe: int = 0
    waits: int = 0
    waits_in_vain: int = 0
    demands: int = 0
    early_refreshes: int = 0
    demands_failed: int = 0
    breaker_opened: int = 0

    def as_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)
