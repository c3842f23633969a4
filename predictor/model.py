"""The interface of everything that predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from predictor.history import Action, History

#: A partition's slice: one call predicts for at most this many users.
MAX_BATCH = 512


class Prediction(msgspec.Struct, gc=False):
    """What may follow: every outcome with its probability, END included, summing to 1.

    `names[i]` has the probability `probabilities[i]`; `ranked` sorts them when it is first asked for,
    because most predictions are only scored.
    """

    names: Sequence[str]
    probabilities: Sequence[float]
    version: str
    _ranked: tuple[tuple[str, float], ...] | None = None

    @property
    def ranked(self) -> tuple[tuple[str, float], ...]:
        """(action, probability), likeliest first; equal probabilities in the vocabulary's order."""
        if self._ranked is None:
            pairs = zip(self.names, self.probabilities, strict=True)
            self._ranked = tuple(sorted(pairs, key=lambda pair: -pair[1]))
        return self._ranked

    @property
    def top(self) -> tuple[str, float]:
        """The likeliest outcome; may be END."""
        return self.ranked[0]

    def probability_of(self, action: str) -> float:
        """The probability of one outcome; 0 for an action that the model has never heard of."""
        for name, probability in zip(self.names, self.probabilities, strict=True):
            if name == action:
                return probability
        return 0.0


class Model(Protocol):
    """History in, probabilities out. Never raises on any history."""

    @property
    def version(self) -> str:
        """Names the model in metrics and in the registry; bounded."""
        ...

    def predict(self, history: History, now_ms: int) -> Prediction:
        """What follows `history`, asked at `now_ms` (milliseconds since the Unix epoch).

        A history whose session is over by then is asked about a new session's first action.
        """
        ...

    def predict_many(self, histories: Sequence[History], now_ms: int) -> list[Prediction]:
        """`predict` for up to `MAX_BATCH` histories at once."""
        ...

    def observe(self, history: History, action: Action) -> None:
        """Learns that `action` followed `history`; call it before `history.append(action)`.

        An action that opens a session also teaches that the session before it had ended.
        """
        ...
