"""`ActionPredictor`: predict from a plain list, learn from a plain word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from predictor.history import Action, History
from predictor.model import Model
from predictor.prior import synthetic_ngram
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis
from streams.contracts.errors import ContractError

#: What a history may hold: a name, or a mapping with `action` and, where known, `at_ms` and the entity.
Entry = str | Mapping[str, Any] | Action


class ActionPredictor:
    """A model behind two methods, for callers that keep their users' histories themselves.

    Without a model it starts from the synthetic population's prior and learns from every `update`.
    """

    def __init__(self, model: Model | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._model = model if model is not None else synthetic_ngram()
        self._clock = clock

    def predict(
        self, user_history: Sequence[Entry] | History, *, user_id: str = "anonymous", top: int = 5
    ) -> list[dict[str, Any]]:
        """The `top` likeliest outcomes, likeliest first: [{"action", "probability"}]; may contain END."""
        now_ms = millis(self._clock.now())
        prediction = self._model.predict(self._history(user_history, user_id, now_ms), now_ms)
        return [{"action": name, "probability": p} for name, p in prediction.ranked[:top]]

    def update(
        self, user_history: Sequence[Entry] | History, actual_action: str, *, user_id: str = "anonymous"
    ) -> None:
        """Learns that `actual_action` followed the history."""
        now_ms = millis(self._clock.now())
        self._model.observe(self._history(user_history, user_id, now_ms), Action(actual_action, now_ms))

    def _history(self, entries: Sequence[Entry] | History, user_id: str, now_ms: int) -> History:
        if isinstance(entries, History):
            return entries
        history = History(user_id)
        # Without times everything happened just now: one session, in the order given.
        for entry in entries[-1000:]:
            history.append(_action(entry, now_ms))
        return history


def _action(entry: Entry, now_ms: int) -> Action:
    if isinstance(entry, Action):
        return entry
    if isinstance(entry, str):
        return Action(entry, now_ms)
    name = entry.get("action")
    if not isinstance(name, str):
        raise ContractError(
            "an entry of a user's history is a name or a mapping with `action`", field="action"
        )
    return Action(name, int(entry.get("at_ms", now_ms)), entry.get("entity"), entry.get("entity_id"))
