"""The window in which work that can wait is done."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.contracts.errors import ConfigurationError

MINUTES_A_DAY = 24 * 60


class OffPeak:
    """`HH:MM-HH:MM` in UTC, also over midnight; an empty text is always."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._bounds = tuple(_minute(part) for part in text.split("-")) if text else None

    def is_open(self, now: float) -> bool:
        """Whether the window is open at a time in seconds since the epoch."""
        if self._bounds is None:
            return True
        at = datetime.fromtimestamp(now, UTC)
        minute = at.hour * 60 + at.minute
        start, end = self._bounds
        return start <= minute < end if start <= end else minute >= start or minute < end


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    minute = int(hours) * 60 + int(minutes)
    if minute > MINUTES_A_DAY or int(minutes) > 59:
        raise ConfigurationError(f"PRECOMPUTE_OFF_PEAK: {text} is no time of day")
    return minute
