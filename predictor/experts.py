"""Ten small experts on what follows: six contexts everybody shares, four of the user's own.

Each is a Dirichlet-smoothed count over the same base, the first-order context. Their logarithms are
what a blend weighs (logarithmic opinion pool: Genest and Zidek, "Combining probability distributions",
Statistical Science 1(1), 1986; as context mixing: Mahoney, PAQ, 2005). Factors that do not depend on the
outcome are left out: the softmax of the blend removes them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from predictor.situation import Situation
from predictor.vocabulary import END_ID, LOGIN_ID, NOTHING_ID

Floats = npt.NDArray[np.float32]

GLOBAL_EXPERTS = ("last", "last2", "last3", "last4", "last2+gap", "last+session")
USER_EXPERTS = ("user recent", "user last", "user last2", "user last3")
EXPERTS = GLOBAL_EXPERTS + USER_EXPERTS

#: Strength of the base in observations: of contexts everybody shares, and of a user's own.
MU_GLOBAL = 20.0
MU_USER = 2.0
#: A user's habits change: what happened 350 actions ago counts half.
DECAY = 0.998
#: The recent expert sees a user's last outcomes only, the newest first: 14 ago counts half.
RECENT = 64
RECENT_DECAY = 0.95
#: Longest window of one user, in actions; heavy users gain from a long memory (1 byte an action).
LONG_WINDOW = 1000

_AGES = DECAY ** np.arange(LONG_WINDOW + 2)
_RECENT_WEIGHTS = RECENT_DECAY ** np.arange(RECENT - 1, -1, -1)
_MU_GLOBAL, _MU_USER = np.float32(MU_GLOBAL), np.float32(MU_USER)
_UNSEEN = (0,) * len(GLOBAL_EXPERTS)
_PAD = bytes((NOTHING_ID,))
_GAP = _PAD * 2
#: Outcomes after which everybody's frequencies are summed up anew: they move slowly.
_OFTEN_EVERY = 32


class ContextBank:
    """Counts of the global contexts, one dense row each; row 0 is that of a context never seen."""

    def __init__(self, width: int, *, max_rows: int = 20_000) -> None:
        self.width = width
        self.max_rows = max_rows
        self.rows: list[dict[int, int]] = [{} for _ in GLOBAL_EXPERTS]
        self.counts: Floats = np.zeros((1024, width), np.float32)
        self.used = 1
        self.outcomes: Floats = np.zeros(width, np.float32)
        self._often = self.outcomes
        self._until_often = 0

    def look_up(self, situations: Sequence[Situation]) -> Floats:
        """[n, 6, width] counts of what followed each situation's contexts."""
        index: list[int] = []
        for situation in situations:
            index.extend(map(dict.get, self.rows, situation.keys(), _UNSEEN))
        return self.counts.take(index, axis=0).reshape(len(situations), len(self.rows), self.width)

    def add(self, situation: Situation, outcome: int, weight: float = 1.0) -> None:
        """Counts an outcome in all six contexts; a context beyond `max_rows` backs off to the shorter."""
        index = []
        for rows, key in zip(self.rows, situation.keys(), strict=True):
            row = rows.get(key)
            if row is None:
                if len(rows) >= self.max_rows:
                    continue
                row = rows[key] = self._new_row()
            index.append(row)
        self.counts[index, outcome] += weight
        self.outcomes[outcome] += weight
        self._until_often -= 1

    def often(self) -> Floats:
        """[width] everybody's frequencies, `MU_GLOBAL` in sum; at most `_OFTEN_EVERY` outcomes old."""
        if self._until_often <= 0:
            smoothed = self.outcomes + np.float32(0.5)
            self._often = smoothed * (_MU_GLOBAL / smoothed.sum())
            self._until_often = _OFTEN_EVERY
        return self._often

    def scale(self, factor: float) -> None:
        """Multiplies every count: below 1, later observations weigh more."""
        self.counts *= np.float32(factor)
        self.outcomes *= np.float32(factor)
        self._until_often = 0

    def _new_row(self) -> int:
        if self.used == len(self.counts):
            self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)])
        self.used += 1
        return self.used - 1


def expert_logs(shared: Floats, personal: Floats, often: Floats) -> Floats:
    """[n, 10, width] log weights of every outcome by every expert, each up to a constant.

    `shared` [n, 6, width] and `personal` [n, 4, width] are counts, `often` is `ContextBank.often()`.
    """
    n, _, width = shared.shape
    logs = np.empty((n, len(EXPERTS), width), np.float32)
    base = shared[:, :1] + often
    base /= np.add.reduce(base, axis=2, keepdims=True)
    logs[:, :1] = base
    np.add(shared[:, 1:], base * _MU_GLOBAL, out=logs[:, 1:6])
    np.add(personal, base * _MU_USER, out=logs[:, 6:])
    return np.log(logs, out=logs)


def count_personal(windows: Sequence[bytes | bytearray], ids: Sequence[Sequence[int]], width: int) -> Floats:
    """[n, 4, width] weights of what followed in each user's own window.

    `windows` are ids, oldest first; `ids` the situations', newest first. Row 0 weighs recent outcomes
    whatever the context, rows 1..3 what followed the same last 1, 2, 3 ids.
    """
    n = len(windows)
    counts = np.empty((n, 4, width), np.float32)
    counts[:, 0] = _count_recent(windows, width)
    counts[:, 1:] = _count_matches(windows, ids, width)
    return counts


def _count_recent(windows: Sequence[bytes | bytearray], width: int) -> Any:
    n = len(windows)
    tails = b"".join([window[-RECENT:].rjust(RECENT, _PAD) for window in windows])
    cells = _cells(width).take(np.frombuffer(tails, np.uint8))
    if n == 1:
        return np.bincount(cells, _RECENT_WEIGHTS, minlength=width + 1)[:width]
    cells += np.repeat(np.arange(n) * (width + 1), RECENT)
    weights = np.tile(_RECENT_WEIGHTS, n)
    return np.bincount(cells, weights, minlength=n * (width + 1)).reshape(n, -1)[:, :width]


def _count_matches(windows: Sequence[bytes | bytearray], ids: Sequence[Sequence[int]], width: int) -> Any:
    """[n, 3, width]: what followed a match of at least 1, 2, and 3 ids.

    Windows are joined with padding, so that a match neither looks into its neighbour nor past its end.
    """
    n = len(windows)
    flat = np.frombuffer(b"".join([_GAP, _GAP.join(windows), _PAD]), np.uint8)
    first: Any
    second: Any
    third: Any
    first, second, third = ids[0][:3]
    end: Any = len(flat) - 3
    row: Any = 0
    if n == 1:
        at = (flat[:-1] == first).nonzero()[0]
    else:
        lengths = np.fromiter(map(len, windows), np.int64, n) + len(_GAP)
        wanted = np.asarray(ids, np.uint8)
        at = (flat[:-1] == np.repeat(wanted[:, 0], lengths)).nonzero()[0]
        ends = lengths.cumsum()
        row = np.searchsorted(ends, at, side="right")
        second, third, end = wanted[row, 1], wanted[row, 2], (ends - 2)[row]
    matched = flat.take(at - 1) == second
    level = matched + (matched & (flat.take(at - 2) == third)).view(np.uint8)
    cells = _cells(width).take(flat.take(at + 1))
    cells += (level + 3 * row) * np.int64(width + 1)
    found = np.bincount(cells, _AGES.take(end - at), minlength=3 * n * (width + 1)).reshape(n, 3, width + 1)
    found[:, 1] += found[:, 2]
    found[:, 0] += found[:, 1]
    return found[:, :, :width]


@functools.cache
def _cells(width: int) -> Any:
    """The column of each id: a LOGIN shows that a session ended, padding goes to a column of its own."""
    columns = np.arange(256)
    columns[LOGIN_ID] = END_ID
    columns[width:LOGIN_ID] = width
    return columns
