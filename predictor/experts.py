"""Twelve small experts on what follows: eight contexts everybody shares, four of the user's own.

Each is a Dirichlet-smoothed count over the same base, the first-order context. Their logarithms are
what a blend weighs (logarithmic opinion pool: Genest and Zidek, "Combining probability distributions",
Statistical Science 1(1), 1986; as context mixing: Mahoney, PAQ, 2005). Factors that do not depend on the
outcome are left out: the softmax of the blend removes them.

Arrays have the experts first, [experts, n, width]: a pool's weighted sum is then one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from predictor.situation import Situation

Floats = npt.NDArray[np.float32]

#: `Situation.keys` has the context of each, in this order: the last 1, 2, 3, 4 ids; the last 2 with the
#: bucket of the gap between them; the last with the set of the session's actions, with the bucket of its
#: age, with the hour.
GLOBAL_EXPERTS = ("last", "last2", "last3", "last4", "last2+gap", "last+set", "last+age", "last+hour")
USER_EXPERTS = ("user recent", "user last", "user last2", "user last3")
EXPERTS = GLOBAL_EXPERTS + USER_EXPERTS

#: Strength of the base in observations: of contexts everybody shares, and of a user's own.
MU_GLOBAL = 20.0
MU_USER = 2.0

_SHARED = len(GLOBAL_EXPERTS)
_STRENGTHS = np.array([0.0] + [MU_GLOBAL] * (_SHARED - 1) + [MU_USER] * len(USER_EXPERTS), np.float32)
_MU_GLOBAL = np.float32(MU_GLOBAL)
#: What smooths is summed up anew whenever the outcomes have grown by this share, or by the number below.
_STALE_SHARE = 1 / 256
_STALE_OUTCOMES = 1_000


class ContextBank:
    """Counts of the global contexts, one dense row each; row 0 is that of a context never seen."""

    def __init__(self, width: int, *, max_rows: int = 20_000) -> None:
        self.width = width
        self.max_rows = max_rows
        self.rows: list[dict[int, int]] = [{} for _ in GLOBAL_EXPERTS]
        self.used = 1
        self.outcomes: Floats = np.zeros(width, np.float32)
        self._store(np.zeros((1024, width), np.float32))
        self._often = self.outcomes
        self._priors: dict[int, Floats] = {}
        self._until_stale = 0

    @classmethod
    def restore(cls, rows: list[dict[int, int]], counts: Floats, outcomes: Floats) -> ContextBank:
        """The bank that had these `rows`, `counts` [used, width] and `outcomes` [width]."""
        bank = cls(counts.shape[1])
        bank.rows, bank.used, bank.outcomes = rows, len(counts), outcomes
        bank._store(counts)
        return bank

    def look_up(self, situations: Sequence[Situation], counts: Floats) -> list[int]:
        """Fills `counts` [8, n, width] with what followed each situation's contexts.

        Returns the rows of the first expert's contexts, as `priors` takes them.
        """
        if len(situations) == 1:
            index = [rows.get(key, 0) for rows, key in zip(self.rows, situations[0].keys, strict=True)]
        else:
            columns = zip(*[situation.keys for situation in situations], strict=True)
            index = [rows.get(key, 0) for rows, keys in zip(self.rows, columns, strict=True) for key in keys]
        # Clipping is for NumPy's sake, which else fills a copy: no row is out of bounds.
        self.counts.take(index, axis=0, out=counts.reshape(len(index), self.width), mode="clip")
        return index[: len(situations)]

    def priors(self, rows: Sequence[int]) -> Floats:
        """[12, n, width]: what smooths the counts of each expert, in observations.

        The first expert is smoothed by everybody's frequencies; smoothed, it smooths the others.
        """
        if self._until_stale <= 0:
            self._priors.clear()
            smoothed = self.outcomes + np.float32(0.5)
            total = smoothed.sum()
            self._often = smoothed * (_MU_GLOBAL / total)
            self._until_stale = min(int(total * _STALE_SHARE), _STALE_OUTCOMES)
        if len(rows) == 1:
            return self._prior(rows[0])
        return np.concatenate([self._prior(row) for row in rows], axis=1)

    def _prior(self, row: int) -> Floats:
        kept = self._priors.get(row)
        if kept is not None:
            return kept
        base = self.counts[row] + self._often
        prior: Floats = np.multiply.outer(_STRENGTHS, base / base.sum())[:, None]
        prior[0] = self._often
        self._priors[row] = prior
        return prior

    def add(self, situation: Situation, outcome: int, weight: float = 1.0) -> None:
        """Counts an outcome in all eight contexts; a context beyond `max_rows` backs off to the shorter."""
        for rows, key in zip(self.rows, situation.keys, strict=True):
            row = rows.get(key)
            if row is None:
                if len(rows) >= self.max_rows:
                    continue
                row = rows[key] = self._new_row()
            self._cells[row * self.width + outcome] += weight
        self.outcomes[outcome] += weight
        self._until_stale -= 1

    def scale(self, factor: float) -> None:
        """Multiplies every count: below 1, later observations weigh more."""
        self.counts *= np.float32(factor)
        self.outcomes *= np.float32(factor)
        self._until_stale = 0

    def _new_row(self) -> int:
        if self.used == len(self.counts):
            self._store(np.concatenate([self.counts, np.zeros_like(self.counts)]))
        self.used += 1
        return self.used - 1

    def _store(self, counts: Floats) -> None:
        self.counts = counts
        # The same memory, flat: a single number of it is changed in a tenth of NumPy's time.
        flat: Any = counts.reshape(-1)
        self._cells: Any = memoryview(flat)
