"""The blend: the experts and the forest, pooled with weights chosen on validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predictor.experts import Floats
from predictor.features import FeatureState, Observed, forest_inputs
from predictor.forest import Forest
from predictor.history import Action, History
from predictor.mixture import Pool, normalize, weigh
from predictor.model import Prediction
from predictor.vocabulary import OTHER_ID

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
    """Predicts with everything; learns online through its experts' counts."""

    def __init__(self, state: FeatureState, parts: BlendParts, *, version: str) -> None:
        self.state = state
        self.parts = parts
        self.version = version
        self._named = 0
        self._fit_to_names()

    def predict(self, history: History, now_ms: int) -> Prediction:
        return self.predict_many((history,), now_ms)[0]

    def predict_many(self, histories: Sequence[History], now_ms: int) -> list[Prediction]:
        if not histories:
            return []
        probabilities = self.probabilities(self.state.look_at(histories, now_ms))
        names = self.state.vocabulary.names[:]
        return [Prediction(names, row, self.version) for row in probabilities[:, : len(names)].tolist()]

    def observe(self, history: History, action: Action) -> None:
        self.state.observe(history, action)

    def probabilities(self, observed: Observed) -> Any:
        """[n, width] for what `FeatureState.look_at` returned; columns without a name are 0."""
        if self._named != len(self.state.vocabulary):
            self._fit_to_names()
        weighed = weigh(observed.logs, self._weights)
        weighed += self._biases
        opinion, scores = normalize(weighed[0]), weighed[1]
        forest = self.parts.forest
        inputs = forest_inputs(observed, opinion, self.state.trained, forest.buffer(len(opinion)))
        # Where the forest has no class it abstains: the experts' opinion stands for its own.
        opinion[:, forest.columns] = forest.predict(inputs)
        opinion *= self._forest_weight
        scores += opinion
        exact = np.exp(scores, dtype=np.float64)
        exact /= exact.dot(self._ones)[:, None]
        return exact

    def _fit_to_names(self) -> None:
        """Extends the biases over names learned since the training: they are biased as OTHER is."""
        self._named = len(self.state.vocabulary)
        experts, final = self.parts.experts, self.parts.final
        self._weights = np.stack([experts.weights, final.weights[:-1]])
        self._biases = np.stack([self._extend(experts.bias), self._extend(final.bias)])[:, None]
        self._forest_weight = np.array(final.weights[-1])
        self._ones = np.ones(self.state.width)

    def _extend(self, bias: Floats) -> Floats:
        extended = np.full(self.state.width, _NEVER, np.float32)
        extended[: self._named] = bias[OTHER_ID]
        extended[: self.state.trained] = bias
        return extended
