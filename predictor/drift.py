"""ADWIN: notices that the mean of a stream has changed, without a window length to choose.

Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007: the window is
kept as an exponential histogram; it is cut wherever two parts of it differ by more than their bound.
A change of the log-loss asks for a training. It never promotes anything: ADWIN fires often.
"""

from __future__ import annotations

import math

#: Confidence of a cut: chance of one without a change, per check.
DELTA = 0.002
#: Buckets of one size before two of them merge: the paper's M.
_BUCKETS = 5
#: Values between two checks: a cut needs more of them than that anyway.
_CHECK_EVERY = 32
#: Either part of a cut has at least this many values.
_MIN_PART = 32


class Adwin:
    """Feed it values one by one. O(log n) memory; a check costs O(log n) every `_CHECK_EVERY` values."""

    def __init__(self, delta: float = DELTA) -> None:
        self._delta = delta
        #: Row i holds (sum, sum of squared deviations) of buckets of 2^i values, the newest last.
        self._rows: list[list[tuple[float, float]]] = [[]]
        self._ticks = 0
        self.width = 0
        self.total = 0.0
        self._spread = 0.0
        self.detections = 0

    @property
    def mean(self) -> float:
        """The mean of the values since the last change; 0 of none."""
        return self.total / self.width if self.width else 0.0

    def add(self, value: float) -> bool:
        """Takes a value; True when the mean has changed, after which the older values are forgotten."""
        if self.width:
            self._spread += self.width / (self.width + 1) * (value - self.mean) ** 2
        self.width += 1
        self.total += value
        self._rows[0].append((value, 0.0))
        self._compress()
        self._ticks += 1
        if self._ticks % _CHECK_EVERY or self.width < 2 * _MIN_PART:
            return False
        changed = False
        while self._has_cut():
            self._drop_oldest()
            changed = True
        self.detections += changed
        return changed

    def _compress(self) -> None:
        size = 1
        for level, row in enumerate(self._rows):
            if len(row) <= _BUCKETS:
                return
            (sum_a, spread_a), (sum_b, spread_b) = row[:2]
            del row[:2]
            between = (sum_a - sum_b) ** 2 / (2 * size)
            if level + 1 == len(self._rows):
                self._rows.append([])
            self._rows[level + 1].append((sum_a + sum_b, spread_a + spread_b + between))
            size *= 2

    def _has_cut(self) -> bool:
        """Whether some split into an older and a newer part has means too far apart."""
        old_count, old_sum = 0, 0.0
        for level in range(len(self._rows) - 1, -1, -1):
            for total, _ in self._rows[level]:
                old_count += 1 << level
                old_sum += total
                new_count = self.width - old_count
                if old_count < _MIN_PART:
                    continue
                if new_count < _MIN_PART:
                    return False
                apart = abs(old_sum / old_count - (self.total - old_sum) / new_count)
                if apart > self._bound(old_count, new_count):
                    return True
        return False

    def _bound(self, old: int, new: int) -> float:
        """The paper's epsilon_cut for values of known variance, with delta shared by all checks."""
        harmonic = 1.0 / old + 1.0 / new
        log_term = math.log(2.0 * math.log(max(self.width, 3)) / self._delta)
        variance = self._spread / self.width
        return math.sqrt(2.0 * harmonic * variance * log_term) + 2.0 / 3.0 * harmonic * log_term

    def _drop_oldest(self) -> None:
        total, spread = self._rows[-1].pop(0)
        count = 1 << (len(self._rows) - 1)
        rest = self.width - count
        between = count * rest / self.width * (total / count - (self.total - total) / rest) ** 2
        self._spread = max(self._spread - spread - between, 0.0)
        self.width = rest
        self.total -= total
        while len(self._rows) > 1 and not self._rows[-1]:
            self._rows.pop()
