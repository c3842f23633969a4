"""Follows outcomes that become more or less frequent than they were when the weights were fitted.

Gradient descent on the log-loss, one step for each outcome, on the biases alone (Zinkevich, "Online convex
programming and generalized infinitesimal gradient ascent", ICML 2003): an outcome that comes more often than
it was predicted gains what the predicted ones lose. Where nothing shifts, the steps cancel out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from predictor.experts import Floats
from predictor.lessons import Lesson
from predictor.situation import Situation
from predictor.vocabulary import Vocabulary

#: Step of a bias: some 200 outcomes that nobody predicted move theirs by 1. Of .002 to .02, tried on parts of
#: three logs before their tests, larger ones follow a shift sooner and lose accuracy where there is none.
RATE = 0.005
#: Users whose outcome is awaited at once; of more, the prediction made longest ago teaches nothing.
MAX_AWAITED = 20_000


class Recalibration:
    """Holds each user's last prediction until its outcome is known."""

    def __init__(self, *, rate: float = RATE, max_awaited: int = MAX_AWAITED) -> None:
        self._rate = rate
        self._max_awaited = max_awaited
        self._awaited: OrderedDict[str, tuple[bool, Any]] = OrderedDict()

    def expect(self, situations: Sequence[Situation], probabilities: Any) -> None:
        """Remembers what was predicted: `probabilities` [n, width] of the n `situations`."""
        awaited = self._awaited
        if len(situations) == 1:
            awaited[situations[0].user_id] = situations[0].opens, probabilities
        else:
            for number, situation in enumerate(situations):
                # A view of many rows would keep them all in memory.
                awaited[situation.user_id] = situation.opens, probabilities[number : number + 1].copy()
        while len(awaited) > self._max_awaited:
            awaited.popitem(last=False)

    def settle(self, user_id: str, lessons: Sequence[Lesson], vocabulary: Vocabulary, bias: Floats) -> None:
        """Moves `bias` [1, width], in place, by what `lessons` say of the user's last prediction."""
        awaited = self._awaited.pop(user_id, None)
        if awaited is None:
            return
        opens, predicted = awaited
        for lesson in lessons:
            # A prediction for a session not yet begun is not about the end of the one before.
            if lesson.opens == opens:
                predicted *= self._rate
                bias -= predicted
                bias[0, vocabulary.id_of(lesson.outcome)] += self._rate
                return
