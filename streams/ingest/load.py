"""How busy the workers are, as far as deciding about predictions is concerned."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streams.cache.presence import WorkerInfo
from streams.contracts.clock import Clock

#: A moment without an idle slot is what workers are for; minutes of it mean that there is no room.
SMOOTHED_OVER_S = 60.0
#: Answers to events are due within this (docs/runbooks); work that waited so long leaves no room at all.
LONG_WAIT_S = 30.0


class FleetLoad:
    """0 with idle workers up to 1 with none, or with work that waits; 0 while no worker is known."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked_at: float | None = None
        self.value = 0.0

    def update(self, workers: Sequence[WorkerInfo]) -> None:
        """Takes in what the living workers said last."""
        now = self._clock.monotonic()
        elapsed = now - self._looked_at if self._looked_at is not None else 0.0
        self._looked_at = now
        share = 1.0 - math.exp(-elapsed / SMOOTHED_OVER_S)
        self.value += share * (_pressure(workers) - self.value)


def _pressure(workers: Sequence[WorkerInfo]) -> float:
    slots = sum(one.slots for one in workers if not one.quiet)
    if not slots:
        return 0.0
    busy = sum(one.in_progress for one in workers if not one.quiet) / slots
    waiting = max(one.oldest_wait_s for one in workers if not one.quiet) / LONG_WAIT_S
    return min(1.0, max(busy, waiting))
