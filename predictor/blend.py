"""The blend: the experts and the forest, pooled with weights chosen on validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predictor.features import FeatureState, Observed, forest_inputs
from predictor.forest import Forest
from predictor.history import Action, History
from predictor.mixture import Pool, normalize, weigh
from predictor.model import Prediction
from predictor.recalibration import Recalibration
from predictor.vocabulary import OTHER_ID

#: Questions looked at together: their arrays stay in a core's own cache, which those of 512 do not.
_CHUNK = 128
#: Log weight of an outcome that has no name yet.
_NEVER = np.float32(-1e9)


class BlendParts(NamedTuple):
    """What training gives. Biases are those of the trained outcomes.

    `experts` pools the n-grams alone, as an input of the forest; `final` pools them and the forest, last.
    """

    experts: Pool
    forest: Forest
    final: Pool
    #: Of the final pool on the slice that its weights were chosen on, in nats; NaN where not known.
    validation_loss: float = math.nan


class Blend:
    """Predicts with everything; learns online: its experts count, its biases follow the outcomes."""

    def __init__(self, state: FeatureState, parts: BlendParts, *, version: str) -> None:
        self.state = state
        self.parts = parts
        self.version = version
        experts, final = parts.experts, parts.final
        self._weights = np.stack([experts.weights, final.weights[:-1]])
        self._forest_weight = np.array(final.weights[-1])
        #: Of the experts' pool and of the final one; the final ones follow the outcomes.
        self._biases = np.full((2, 1, state.width), _NEVER, np.float32)
        self._biases[:, 0, : state.trained] = experts.bias, final.bias
        self._recalibration = Recalibration(self._biases[1])
        self._names = tuple(state.vocabulary.names[: state.trained])
        self._ones = np.ones(state.width)

    def predict(self, history: History, now_ms: int) -> Prediction:
        return self._predict((history,), now_ms)[0]

    def predict_many(self, histories: Sequence[History], now_ms: int) -> list[Prediction]:
        found: list[Prediction] = []
        for start in range(0, len(histories), _CHUNK):
            found += self._predict(histories[start : start + _CHUNK], now_ms)
        return found

    def _predict(self, histories: Sequence[History], now_ms: int) -> list[Prediction]:
        observed = self.state.look_at(histories, now_ms)
        probabilities = self.probabilities(observed)
        if self.state.learning:
            self._recalibration.expect(observed.situations, probabilities, now_ms, histories[0].gap_ms)
        names = self._names
        return [Prediction(names, row, self.version) for row in probabilities[:, : len(names)].tolist()]

    def observe(self, history: History, action: Action) -> None:
        lessons = self.state.observe(history, action)
        self._recalibration.settle_ends(action.at_ms, history.gap_ms)
        self._recalibration.settle(history.user_id, lessons, self.state.vocabulary)

    def probabilities(self, observed: Observed) -> Any:
        """[n, width] for what `FeatureState.look_at` returned; columns without a name are 0."""
        if len(self._names) != len(self.state.vocabulary):
            self._admit_names()
        weighed = weigh(observed.logs, self._weights)
        weighed += self._biases
        opinion, scores = normalize(weighed[0]), weighed[1]
        forest = self.parts.forest
        inputs = forest_inputs(observed, opinion, self.state.trained, forest.buffer(len(opinion)))
        # Where the forest has no class it abstains: the experts' opinion stands for its own.
        opinion[:, forest.columns] = forest.predict(inputs)
        opinion *= self._forest_weight
        scores += opinion
        exact = np.exp(scores).astype(np.float64)
        exact /= exact.dot(self._ones)[:, None]
        return exact

    def _admit_names(self) -> None:
        """Names learned since the training are biased as OTHER is."""
        known, names = len(self._names), tuple(self.state.vocabulary.names)
        self._biases[..., known : len(names)] = self._biases[..., OTHER_ID, None]
        self._names = names
