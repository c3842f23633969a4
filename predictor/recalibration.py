"""Follows outcomes that become more or less frequent than they were when the weights were fitted.

Gradient descent on the log-loss, one step for each outcome, on the biases alone (Zinkevich, "Online convex
programming and generalized infinitesimal gradient ascent", ICML 2003): an outcome that comes more often than
it was predicted gains what the predicted ones lose. Where nothing shifts, the steps cancel out.

They cancel out only if which predictions get an outcome does not depend on the outcome. Hence an END is
known once its session's gap has passed, whether the user comes back or not, and a full memory takes no new
predictions instead of dropping those that wait longest, which are the ENDs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from predictor.experts import Floats
from predictor.lessons import Lesson
from predictor.situation import Situation
from predictor.vocabulary import END_ID, Vocabulary

#: Step of a bias: some 200 outcomes that nobody predicted move theirs by 1. Of .002 to .02, tried on parts of
#: three logs before their tests, larger ones follow a shift sooner and lose accuracy where there is none.
RATE = 0.005
#: Users whose outcome is awaited at once: a sample is as good, and these take about 5 MB.
MAX_AWAITED = 10_000

#: A gap is half an hour: a second later is soon enough.
_LOOK_EVERY_MS = 1_000


class Recalibration:
    """Holds each user's last prediction until its outcome is known, and moves `bias` [1, width] by it."""

    def __init__(self, bias: Floats, *, rate: float = RATE, max_awaited: int = MAX_AWAITED) -> None:
        self._bias = bias
        self._rate = rate
        self._max_awaited = max_awaited
        #: By user: when silence is the outcome, whether a session was only assumed, and what was predicted.
        self._awaited: dict[str, tuple[int, bool, Any]] = {}
        self._looked_ms = 0

    def expect(self, situations: Sequence[Situation], probabilities: Any, now_ms: int, gap_ms: int) -> None:
        """Remembers what was predicted at `now_ms`: `probabilities` [n, width] of the n `situations`."""
        awaited, known_ms = self._awaited, now_ms + gap_ms
        # A view of many rows would keep them all in memory.
        n = len(situations)
        rows = (probabilities,) if n == 1 else [probabilities[row : row + 1].copy() for row in range(n)]
        for situation, row in zip(situations, rows, strict=True):
            user = situation.user_id
            awaited.pop(user, None)
            if len(awaited) < self._max_awaited:
                awaited[user] = known_ms, situation.opens, row

    def settle(self, user_id: str, lessons: Sequence[Lesson], vocabulary: Vocabulary) -> None:
        """Learns what `lessons` say of the user's last prediction."""
        awaited = self._awaited.pop(user_id, None)
        if awaited is None:
            return
        _, opens, predicted = awaited
        for lesson in lessons:
            # A prediction for a session not yet begun is not about the end of the one before.
            if lesson.opens == opens:
                self._learn(predicted, vocabulary.id_of(lesson.outcome))
                return

    def settle_ends(self, now_ms: int, gap_ms: int) -> None:
        """Learns that whoever did nothing until the gap had passed has ended the session.

        A session not begun tells nothing, nor what was asked more than a gap later than now: a clock was
        wrong. Less than that is the way of an event, which was sent before anything is predicted from it.
        """
        if 0 <= now_ms - self._looked_ms <= _LOOK_EVERY_MS:
            return
        self._looked_ms = now_ms
        for user, (known_ms, opens, predicted) in self._no_longer_awaited(now_ms, now_ms + 2 * gap_ms):
            del self._awaited[user]
            if known_ms < now_ms and not opens:
                self._learn(predicted, END_ID)

    def _no_longer_awaited(self, now_ms: int, latest_ms: int) -> list[tuple[str, tuple[int, bool, Any]]]:
        def is_over(item: tuple[str, tuple[int, bool, Any]]) -> bool:
            return not now_ms <= item[1][0] <= latest_ms

        return list(itertools.takewhile(is_over, self._awaited.items()))

    def _learn(self, predicted: Any, outcome: int) -> None:
        predicted *= self._rate
        self._bias -= predicted
        self._bias[0, outcome] += self._rate
