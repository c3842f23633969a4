"""The blend: the experts and the forest, pooled with weights chosen on validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predictor.features import FeatureState, Observed, forest_inputs
from predictor.forest import Forest
from predictor.history import Action, History
from predictor.mixture import Pool, pool_logs
from predictor.model import Prediction
from predictor.vocabulary import OTHER_ID

#: A forest's leaf that never saw an outcome says 0; its logarithm must stay finite.
FLOOR = 1e-4
#: Log weight of an outcome that has no name yet.
_NEVER = np.float32(-1e9)
_FLOOR = np.float32(FLOOR)


class BlendParts(NamedTuple):
    """What training gives. Biases are those of the trained outcomes.

    `experts` pools the n-grams alone, as an input of the forest; `final` pools them and the forest, last.
    """

    experts: Pool
    forest: Forest
    final: Pool


class Blend:
    """Predicts with everything; learns online through its experts' counts."""

    def __init__(self, state: FeatureState, parts: BlendParts, *, version: str) -> None:
        self.state = state
        self.parts = parts
        self.version = version
        self._named = 0
        self._experts, self._final = parts.experts, parts.final
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
        opinion = pool_logs(observed.logs, self._experts)
        forest = self.parts.forest
        answers = forest.predict(forest_inputs(observed, opinion, self.state.trained))
        # Where the forest has no class it abstains: the experts' opinion stands for its own.
        opinion[:, forest.classes] = np.log(answers + _FLOOR)
        weights, bias = self._final
        scores = weights[:-1] @ observed.logs
        scores += weights[-1] * opinion + bias
        scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
        exact = np.exp(scores, dtype=np.float64)
        exact /= np.add.reduce(exact, axis=1, keepdims=True)
        return exact

    def _fit_to_names(self) -> None:
        """Extends the biases over names learned since the training: they are biased as OTHER is."""
        self._named = len(self.state.vocabulary)
        self._experts = self._extend(self.parts.experts, _NEVER)
        self._final = self._extend(self.parts.final, np.float32(0.0))

    def _extend(self, pool: Pool, unnamed: np.float32) -> Pool:
        bias = np.full(self.state.width, unnamed, np.float32)
        bias[: self._named] = pool.bias[OTHER_ID]
        bias[: self.state.trained] = pool.bias
        return Pool(pool.weights, bias)
