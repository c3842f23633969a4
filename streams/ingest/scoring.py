"""How good the predictions were: each is compared with what its user did next, before the model learns it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection

from predictor.metrics import Bin
from predictor.model import Prediction
from predictor.scoring import LiveScorer, LiveScores
from streams.contracts.clock import Clock
from streams.ingest.drift import DriftWatch
from streams.ops.children import Children
from streams.ops.metrics import CALIBRATION, LOG_LOSS, PREDICTION_OUTCOMES

_outcomes = Children(PREDICTION_OUTCOMES)

#: Predictions waiting for their outcome; the oldest is forgotten, its user has long gone.
MOST_OPEN = 20_000
#: Outcomes of acted predictions that the precision is measured on.
PRECISION_WINDOW = 1_000


class PredictionScores:
    """Prequential scores of one process, as metrics and for the policy."""

    def __init__(self, clock: Clock) -> None:
        self.drift = DriftWatch(clock)
        self._open: OrderedDict[str, tuple[Prediction, frozenset[str]]] = OrderedDict()
        self._scorer = LiveScorer()
        self._acted: deque[bool] = deque(maxlen=PRECISION_WINDOW)
        #: How many of them are true: asked for at each decision.
        self._right = 0

    def expect(self, user_id: str, prediction: Prediction, acted_on: Collection[str]) -> None:
        self._open[user_id] = (prediction, frozenset(acted_on))
        self._open.move_to_end(user_id)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)

    def score(self, user_id: str, action: str) -> None:
        """Compares the user's open prediction, if there is one, with the action that came."""
        prediction, acted_on = self._open.pop(user_id, (None, frozenset[str]()))
        if prediction is None:
            return
        scored = self._scorer.add(prediction, action)
        self.drift.add(prediction.version, scored.loss)
        result = "top1" if scored.hit else "top3" if scored.hit3 else "missed"
        _outcomes(result).inc()
        if acted_on:
            self._note(action in acted_on)

    def _note(self, is_right: bool) -> None:  # noqa: FBT001 (it is the value)
        if len(self._acted) == PRECISION_WINDOW:
            self._right -= self._acted[0]
        self._acted.append(is_right)
        self._right += is_right

    @property
    def precision(self) -> float | None:
        """The share of acted predictions that came true lately; None before the first."""
        return self._right / len(self._acted) if self._acted else None

    @property
    def outcomes(self) -> int:
        return len(self._acted)

    def bins(self) -> list[Bin]:
        """How sure the lately scored predictions were, and how often right."""
        return self._scorer.bins()

    def export(self, model_version: str) -> LiveScores:
        """Sets the gauges and returns the figures; costs a pass over the window."""
        scores = self._scorer.scores()
        LOG_LOSS.labels(model_version).set(scores.log_loss)
        CALIBRATION.labels(model_version).set(scores.calibration_error)
        return scores
