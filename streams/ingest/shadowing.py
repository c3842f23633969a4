"""A version that may replace the one that serves, predicting beside it; nobody acts on what it says."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

import structlog

from predictor.history import Action, History
from predictor.model import Model, Prediction

_log = structlog.get_logger(__name__)

#: Pairs of predictions waiting for their outcome, as many as `scoring.py` keeps.
MOST_OPEN = 20_000
#: Outcomes that settle a comparison: four times what a verdict needs. A challenger costs as much CPU as the
#: model that serves, so it is dropped then.
MOST_OUTCOMES = 20_000


class Shadowing:
    """Collects what both models said of each outcome. Without a challenger every call is free."""

    def __init__(self) -> None:
        self.challenger: Model | None = None
        self._open: OrderedDict[str, tuple[Prediction, Prediction]] = OrderedDict()
        #: (what the champion said, what the challenger said, what came)
        self.outcomes: deque[tuple[Prediction, Prediction, str]] = deque(maxlen=MOST_OUTCOMES)

    @property
    def is_settled(self) -> bool:
        return len(self.outcomes) == MOST_OUTCOMES

    def challenge(self, model: Model | None) -> None:
        """Compares the model that serves with `model` from now on; None ends the comparison."""
        self.challenger = model
        self._open.clear()
        self.outcomes.clear()

    def rest(self) -> None:
        """Keeps what was found and lets the challenger go."""
        self.challenger = None
        self._open.clear()

    def predict(self, histories: Sequence[History], champions: Sequence[Prediction], now_ms: int) -> None:
        """Asks the challenger what the champion was asked."""
        if self.challenger is None or not histories:
            return
        others = self.challenger.predict_many(histories, now_ms)
        for history, champion, other in zip(histories, champions, others, strict=True):
            self._open[history.user_id] = (champion, other)
            self._open.move_to_end(history.user_id)
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)

    def score(self, user_id: str, outcome: str) -> None:
        if self.challenger is None:
            return
        pair = self._open.pop(user_id, None)
        if pair is not None:
            self.outcomes.append((*pair, outcome))

    def observe(self, history: History, action: Action) -> None:
        if self.challenger is not None:
            self.challenger.observe(history, action)
