"""How good predictions were: top-1, top-3, log-loss, calibration, precision against coverage."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

#: Equal-width bins of the top outcome's probability (Guo et al., 2017, use 15).
BINS = 15


class Bin(msgspec.Struct, frozen=True):
    """Predictions whose top probability fell into one bin: how many, how sure, how often right."""

    count: int
    confidence: float
    accuracy: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """`log_loss` is in nats; `ece` the expected calibration error of the top outcome over `BINS` bins."""

    top1: float
    top3: float
    log_loss: float
    ece: float
    n: int


class Scorer:
    """Collects one outcome after the other; never looks back."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        #: Of the top outcome: its probability, whether it came, whether it was END.
        self.tops: list[tuple[float, bool, bool]] = []
        self._top3 = 0

    def add(self, probabilities: Sequence[float], outcome: int, *, end: int = 0) -> None:
        """Scores one prediction; `outcome` is the column of what came, `end` that of END."""
        chosen = probabilities[outcome]
        better = sum([p > chosen for p in probabilities])
        # Among equals the first column is the prediction: a tie is no free hit.
        better += sum([p == chosen for p in probabilities[:outcome]])
        top = max(probabilities)
        self.losses.append(-math.log(max(chosen, 1e-12)))
        self.tops.append((top, better == 0, probabilities[end] == top))
        self._top3 += better < 3

    def scores(self) -> Scores:
        """The figures so far; raises `ZeroDivisionError` on nothing."""
        n = len(self.losses)
        return Scores(
            top1=sum(hit for _, hit, _ in self.tops) / n,
            top3=self._top3 / n,
            log_loss=math.fsum(self.losses) / n,
            ece=sum(b.count * abs(b.accuracy - b.confidence) for b in self.bins()) / n,
            n=n,
        )

    def bins(self) -> list[Bin]:
        """The reliability diagram, empty bins left out."""
        collected: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
        for confidence, hit, _ in self.tops:
            collected[min(int(confidence * BINS), BINS - 1)].append((confidence, hit))
        return [
            Bin(len(b), math.fsum(c for c, _ in b) / len(b), sum(h for _, h in b) / len(b))
            for b in collected
            if b
        ]

    def at_threshold(self, threshold: float) -> tuple[float | None, float]:
        """(precision, coverage) of acting on a top action, END apart, above a probability.

        Coverage is the share of all questions that were acted on; precision is None where none was.
        """
        acted = [hit for confidence, hit, is_end in self.tops if confidence > threshold and not is_end]
        precision = sum(acted) / len(acted) if acted else None
        return precision, len(acted) / len(self.tops)
