"""Whether what is computed ahead is read: by task and by what asked for it, as the fleet counts it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from streams.contracts.jobs import Why
from streams.contracts.results import StoredResult

#: Answers that a share needs behind it before anything is decided by it.
FEWEST = 50
#: Behaviour of so many answers ago counts for nothing much: older counts shrink as new ones come.
REMEMBERED = 1000
#: Share of what is not worth it that is computed all the same, so that its use goes on being measured.
EXPLORED = 0.05


@functools.cache
def ahead_field(task: str, why: str) -> str:
    """The fleet's counter of answers written before anybody asked."""
    return f"ahead:{task}:{why}"


@functools.cache
def used_field(task: str, why: str) -> str:
    """The fleet's counter of those that were read at least once."""
    return f"used:{task}:{why}"


def ahead_counts(totals: Mapping[str, float]) -> Iterator[tuple[str, str, float, float]]:
    """Task, cause, answers written before anybody asked, and those of them that were read."""
    for field, ahead in totals.items():
        kind, _, name = field.partition(":")
        if kind == "ahead":
            task, _, why = name.rpartition(":")
            yield task, why, ahead, totals.get(used_field(task, why), 0.0)


def is_ahead(stored: StoredResult) -> bool:
    """Whether it was computed before anybody asked."""
    return stored.reason is None and stored.why is not Why.DEMAND


@functools.cache
def withheld_field(task: str, why: str) -> str:
    """The fleet's counter of jobs that were left to whoever asks."""
    return f"withheld:{task}:{why}"


def is_explored(unit: str) -> bool:
    """Drawn by the unit's hash: an event that is read again is drawn the same way."""
    digest = hashlib.blake2b(f"explored\0{unit}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < EXPLORED


class _Seen(msgspec.Struct):
    """Counts of one task and cause: the fleet's at the last look, and those that still count."""

    ahead_before: float = 0.0
    used_before: float = 0.0
    ahead: float = 0.0
    used: float = 0.0

    def take(self, ahead: float, used: float) -> None:
        # A wiped Redis counts from 0 again.
        if ahead < self.ahead_before or used < self.used_before:
            self.ahead_before = self.used_before = 0.0
        self.ahead += ahead - self.ahead_before
        self.used += used - self.used_before
        self.ahead_before, self.used_before = ahead, used
        if self.ahead > REMEMBERED:
            self.used *= REMEMBERED / self.ahead
            self.ahead = REMEMBERED


class MeasuredUse:
    """Which share of the answers computed ahead was read, lately.

    An answer counts when it is written and again when it is first read, so the share of young answers is
    taken for too small until their readers have come; `EXPLORED` sees to it that they can.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}

    def update(self, totals: Mapping[str, float]) -> None:
        """Takes in the fleet's counters."""
        for task, why, ahead, used in ahead_counts(totals):
            self._seen.setdefault((task, why), _Seen()).take(ahead, used)

    def share(self, task: str, why: str) -> float | None:
        """0 to 1; None while too few were computed to say."""
        seen = self._seen.get((task, why))
        if seen is None or seen.ahead < FEWEST:
            return None
        return min(1.0, seen.used / seen.ahead)
