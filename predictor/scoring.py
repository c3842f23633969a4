"""Scores predictions against what came, before anything is learned from it (prequentially)."""

from __future__ import annotations

import math
from collections import deque

import msgspec

from predictor.history import OTHER
from predictor.metrics import BINS, Bin
from predictor.model import Prediction

#: Outcomes that the live figures look back on: a few hours of a busy system.
WINDOW = 2_000
#: A probability of 0 costs ln(1e-6): one surprise must not drown the mean.
_FLOOR = 1e-6


class LiveScores(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the last `n` outcomes; all 0 before the first. `log_loss` is in nats."""

    n: int
    top1: float
    top3: float
    log_loss: float
    calibration_error: float


class Scored(msgspec.Struct, frozen=True):
    """One prediction against its outcome. `confidence` is the top outcome's probability."""

    loss: float
    confidence: float
    hit: bool
    hit3: bool


def score(prediction: Prediction, outcome: str) -> Scored:
    """What `outcome` (an action or END) says of the prediction; an unknown action counts as OTHER."""
    ranked = prediction.ranked
    known = outcome if outcome in prediction.names else OTHER
    names = [name for name, _ in ranked[:3]]
    loss = -math.log(max(prediction.probability_of(known), _FLOOR))
    return Scored(loss, ranked[0][1], names[0] == known, known in names)


class LiveScorer:
    """The last `window` outcomes."""

    def __init__(self, window: int = WINDOW) -> None:
        self._scored: deque[Scored] = deque(maxlen=window)

    def add(self, prediction: Prediction, outcome: str) -> Scored:
        """Scores one outcome and remembers it."""
        scored = score(prediction, outcome)
        self._scored.append(scored)
        return scored

    def scores(self) -> LiveScores:
        """The figures over what is remembered; O(window), for a scrape, not for every event."""
        n = len(self._scored)
        share = 1.0 / n if n else 0.0
        return LiveScores(
            n=n,
            top1=sum(s.hit for s in self._scored) * share,
            top3=sum(s.hit3 for s in self._scored) * share,
            log_loss=math.fsum(s.loss for s in self._scored) * share,
            calibration_error=self._calibration_error() * share,
        )

    def bins(self) -> list[Bin]:
        """The reliability diagram of what is remembered: always `BINS` bins, so that processes add up."""
        collected: list[list[Scored]] = [[] for _ in range(BINS)]
        for scored in self._scored:
            collected[min(int(scored.confidence * BINS), BINS - 1)].append(scored)
        return [
            Bin(
                len(inside),
                math.fsum(one.confidence for one in inside) / max(1, len(inside)),
                sum(one.hit for one in inside) / max(1, len(inside)),
            )
            for inside in collected
        ]

    def _calibration_error(self) -> float:
        return math.fsum(one.count * abs(one.confidence - one.accuracy) for one in self.bins())
