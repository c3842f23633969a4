"""What streams expects of its users: it learns from each action, and predicts for a whole slice at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from predictor.history import END, LOGIN, Action, History
from predictor.model import Model
from streams.ingest.scoring import PredictionScores
from streams.ingest.shadowing import Shadowing
from streams.ingest.speculation import Asked, Speculation, Speculator
from streams.ingest.state import Inputs


class Anticipation(Protocol):
    @property
    def predicts(self) -> bool:
        """Whether it is worth asking."""
        ...

    def learn(self, history: History, action: Action) -> None:
        """`action` followed `history`; called before the history gets it."""
        ...

    def speculate(self, asked: Sequence[Asked], inputs: Inputs, now_ms: int) -> list[Speculation]:
        """What the users do next, and the jobs that is worth."""
        ...

    def expect(self, found: Sequence[Speculation]) -> None:
        """Remembers what was predicted, to be compared with what comes; gives back what is fresh."""
        ...


class NoAnticipation:
    """The predictor is switched off by its setting: no model is loaded, nothing is learned or predicted."""

    predicts = False

    def learn(self, history: History, action: Action) -> None:
        pass

    def speculate(self, asked: Sequence[Asked], inputs: Inputs, now_ms: int) -> list[Speculation]:  # noqa: ARG002 (a protocol's)
        return []

    def expect(self, found: Sequence[Speculation]) -> None:
        pass


class Anticipator:
    """The model that serves, the one that may replace it, and how both have done so far."""

    predicts = True

    def __init__(
        self, model: Model, speculator: Speculator, scores: PredictionScores, shadowing: Shadowing
    ) -> None:
        self._model = model
        self._speculator = speculator
        self._scores = scores
        self._shadowing = shadowing

    def learn(self, history: History, action: Action) -> None:
        """The earlier prediction is scored before any model learns what really came."""
        # Whoever logs in, or comes back after the gap, ended the session that was predicted for.
        outcome = END if history.starts_session(action) else action.name
        if outcome != LOGIN:
            self._scores.score(history.user_id, outcome)
            self._shadowing.score(history.user_id, outcome)
        self._model.observe(history, action)
        self._shadowing.observe(history, action)

    def speculate(self, asked: Sequence[Asked], inputs: Inputs, now_ms: int) -> list[Speculation]:
        found = self._speculator.speculate(asked, inputs, now_ms)
        self._shadowing.predict([one.history for one in asked], [one.prediction for one in found], now_ms)
        return found

    def expect(self, found: Sequence[Speculation]) -> None:
        self._speculator.give_back(found)
        for one in found:
            acted_on = [shown.action for shown in one.shown.predictions if shown.acted_on]
            self._scores.expect(one.shown.user_id, one.prediction, acted_on)
