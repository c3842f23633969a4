"""A history as numbers: the one description that training and serving both predict from."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from math import log1p
from typing import NamedTuple

from predictor.history import Action, History
from predictor.vocabulary import LOGIN_ID, NOTHING_ID, OTHER_ID, Vocabulary

#: Actions a description looks back.
DEPTH = 6
#: Bounds in seconds: at once, a person's click, reading, a pause, a session's gap, a day.
GAP_BOUNDS_S = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.5, 86_400.0)
#: What is fed to a forest where no earlier action exists: longer than any gap (in ln(1 + seconds)).
NO_GAP = 20.0
_DAY_MS = 86_400_000
_BAG_BITS = (1 << 54) - 1


def _bag_table() -> list[list[int]]:
    draw = random.Random(20)  # noqa: S311 - hashing, not a secret
    return [[0, draw.getrandbits(54), draw.getrandbits(54)] for _ in range(256)]


#: Bags are told apart by 54-bit sums of these; seeded, so that stored keys keep their meaning.
_BAG = _bag_table()


class Situation(NamedTuple):
    """What is known when a prediction is asked for.

    `ids`: the last `DEPTH` ids, newest first, LOGIN included, padded with `NOTHING_ID`. `session`: ids
    of the running session's actions. `numbers`: ln(1+s) of the last two gaps and of the session's age,
    position in the session, hour (UTC), weekday (0 = Sunday), ln(1 + actions so far).
    """

    user_id: str
    ids: list[int]
    gap: int
    session: list[int]
    numbers: tuple[float, ...]

    def keys(self) -> tuple[int, int, int, int, int, int]:
        """The global contexts: last 1, 2, 3, 4 ids; last 2 with the gap; last 1 with the session's bag."""
        a, b, c, d, _, _ = self.ids
        two = a | b << 8
        three = two | c << 16
        return a, two, three, three | d << 24, two | self.gap << 16, a << 54 | self._bag()

    def _bag(self) -> int:
        """Which actions the session had once and which more often, in any order."""
        total = 0
        session = self.session
        for action in set(session):
            total += _BAG[action][2 if session.count(action) > 1 else 1]
        return total & _BAG_BITS


def describe(history: History, now_ms: int, vocabulary: Vocabulary) -> Situation:
    """The situation of `history` at `now_ms`; a session that is over by then is followed by a new LOGIN."""
    actions = history.actions
    id_of = vocabulary.ids.get
    ids = [id_of(action.name, OTHER_ID) for action in actions[: -DEPTH - 1 : -1]]
    times = [action.at_ms for action in actions[:-4:-1]]
    if history.is_over(now_ms):
        ids.insert(0, LOGIN_ID)
        times.insert(0, now_ms)
        session: list[int] = []
        age = 0
    else:
        session, began = _running(actions, ids, vocabulary)
        age = times[0] - began
    if len(ids) < DEPTH:
        ids += [NOTHING_ID] * (DEPTH - len(ids))
    gaps, bucket = _gaps(times)
    now = times[0]
    numbers = (
        *gaps,
        log1p(age / 1000) if age > 0 else 0.0,
        float(len(session)),
        (now % _DAY_MS) / 3_600_000,
        float((now // _DAY_MS + 4) % 7),
        log1p(history.total),
    )
    return Situation(history.user_id, ids[:DEPTH], bucket, session, numbers)


def _gaps(times: Sequence[int]) -> tuple[tuple[float, float], int]:
    """ln(1+s) of the last two gaps, and the last one's bucket; `times` are the newest, newest first."""
    if len(times) < 2:
        return (NO_GAP, NO_GAP), len(GAP_BOUNDS_S)
    last = times[0] - times[1]
    seconds = last / 1000 if last > 0 else 0.0
    before = NO_GAP
    if len(times) > 2:
        before_ms = times[1] - times[2]
        before = log1p(before_ms / 1000) if before_ms > 0 else 0.0
    return (log1p(seconds), before), bisect_right(GAP_BOUNDS_S, seconds)


def _running(actions: Sequence[Action], ids: Sequence[int], vocabulary: Vocabulary) -> tuple[list[int], int]:
    """The ids of the running session's actions, newest first, and when it began (ms).

    `ids` are those of the newest actions, newest first: most sessions are found among them.
    """
    if LOGIN_ID in ids:
        at = ids.index(LOGIN_ID)
        return list(ids[:at]), actions[-1 - at].at_ms
    session = list(ids)
    id_of = vocabulary.ids.get
    for action in actions[-1 - len(ids) :: -1]:
        seen = id_of(action.name, OTHER_ID)
        if seen == LOGIN_ID:
            return session, action.at_ms
        session.append(seen)
    return session, actions[0].at_ms
