"""How good the predictions were: each is compared with what its user did next, before the model learns it."""

from __future__ import annotations

import math
from collections import OrderedDict

from predictor.model import Prediction
from streams.ops.metrics import CALIBRATION, LOG_LOSS, PREDICTION_OUTCOMES

#: Predictions waiting for their outcome; the oldest is forgotten, its user has long gone.
MOST_OPEN = 20_000
#: The moving averages forget with a half-life of about 700 outcomes.
DECAY = 0.999
BINS = 10
#: -log of a probability the model called impossible.
WORST_LOSS = -math.log(1e-9)


class Scorecard:
    """Prequential log-loss, hits and calibration error of one process, as metrics."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Prediction] = OrderedDict()
        self._loss = 0.0
        self._weight = 0.0
        #: Per bin of the top probability: weight, sum of probabilities, sum of hits.
        self._bins = [[0.0, 0.0, 0.0] for _ in range(BINS)]

    def expect(self, user_id: str, prediction: Prediction) -> None:
        self._open[user_id] = prediction
        self._open.move_to_end(user_id)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)

    def score(self, user_id: str, action: str) -> None:
        """Compares the user's open prediction, if there is one, with the action that came."""
        prediction = self._open.pop(user_id, None)
        if prediction is None:
            return
        ranked = prediction.ranked
        top, probability = ranked[0]
        if top == action:
            PREDICTION_OUTCOMES.labels("top1").inc()
        elif action in (name for name, _ in ranked[1:3]):
            PREDICTION_OUTCOMES.labels("top3").inc()
        else:
            PREDICTION_OUTCOMES.labels("missed").inc()
        self._learn_loss(prediction.probability_of(action))
        self._learn_calibration(probability, hit=top == action)
        LOG_LOSS.labels(prediction.version).set(self.log_loss)
        CALIBRATION.labels(prediction.version).set(self.calibration_error)

    @property
    def log_loss(self) -> float:
        """Mean -ln p(what came), natural logarithm, lately; NaN before the first outcome."""
        return self._loss / self._weight if self._weight else math.nan

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of the top prediction over ten equal bins (Guo et al. 2017)."""
        total = sum(weight for weight, _, _ in self._bins)
        if not total:
            return math.nan
        return sum(abs(said - came) for _, said, came in self._bins) / total

    def _learn_loss(self, probability: float) -> None:
        loss = -math.log(probability) if probability > 0 else WORST_LOSS
        self._loss = self._loss * DECAY + loss
        self._weight = self._weight * DECAY + 1.0

    def _learn_calibration(self, probability: float, *, hit: bool) -> None:
        for bin_ in self._bins:
            for index in range(3):
                bin_[index] *= DECAY
        bin_ = self._bins[min(int(probability * BINS), BINS - 1)]
        bin_[0] += 1.0
        bin_[1] += probability
        bin_[2] += hit
