"""A history as numbers: the one description that training and serving both predict from."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from math import log1p

import msgspec

from predictor.history import Action, History
from predictor.vocabulary import LOGIN_ID, NOTHING_ID, OTHER_ID, Vocabulary

#: Actions a description looks back.
DEPTH = 6
#: Bounds in seconds: at once, a person's click, reading, a pause, a session's gap, a day.
GAP_BOUNDS_S = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.5, 86_400.0)
#: What is fed to a forest where no earlier action exists: longer than any gap (in ln(1 + seconds)).
NO_GAP = 20.0
#: Bounds of a session's age in seconds: processes take days where people take minutes.
AGE_BOUNDS_S = (1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 43_200.0, 86_400.0, 259_200.0, 604_800.0, 1_814_400.0)
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
_SET_BITS = (1 << 54) - 1


def _set_marks() -> list[int]:
    draw = random.Random(20)  # noqa: S311 - hashing, not a secret
    return [draw.getrandbits(54) for _ in range(256)]


#: Sets of actions are told apart by 54-bit sums of these; seeded, so that stored keys keep their meaning.
_SET_MARK = _set_marks().__getitem__


class Situation(msgspec.Struct, frozen=True, gc=False):
    """What is known when a prediction is asked for.

    `ids`: the last `DEPTH` ids, newest first, LOGIN included, padded with `NOTHING_ID`. `keys`: the contexts
    that all users share, one of each of `GLOBAL_EXPERTS`. `session`: ids of the running session's actions;
    `opens` says that none runs and a new one is assumed. `numbers`: ln(1+s) of the last two gaps and of
    the session's age, position in the session, hour (UTC), weekday (0 = Sunday), ln(1 + actions so far).
    """

    user_id: str
    ids: list[int]
    keys: tuple[int, ...]
    session: list[int]
    numbers: tuple[float, ...]
    opens: bool = False


def describe(history: History, now_ms: int, vocabulary: Vocabulary) -> Situation:
    """The situation of `history` at `now_ms`; a session that is over by then is followed by a new LOGIN."""
    actions = history.actions
    id_of = vocabulary.ids.get
    ids = [id_of(action.name, OTHER_ID) for action in actions[: -DEPTH - 1 : -1]]
    times = [action.at_ms for action in actions[:-4:-1]]
    opens = history.is_over(now_ms)
    if opens:
        ids.insert(0, LOGIN_ID)
        times.insert(0, now_ms)
        session: list[int] = []
        age_s = 0.0
    else:
        session, began_ms = _running(actions, ids, vocabulary)
        age_s = _seconds(times[0] - began_ms)
    if len(ids) < DEPTH:
        ids += [NOTHING_ID] * (DEPTH - len(ids))
    now = times[0]
    gap, last, before = len(GAP_BOUNDS_S), NO_GAP, NO_GAP
    if len(times) > 1:
        seconds = _seconds(now - times[1])
        gap, last = bisect_right(GAP_BOUNDS_S, seconds), log1p(seconds)
        if len(times) > 2:
            before = log1p(_seconds(times[1] - times[2]))
    hour = (now % _DAY_MS) / _HOUR_MS
    weekday = float((now // _DAY_MS + 4) % 7)
    numbers = (last, before, log1p(age_s), float(len(session)), hour, weekday, log1p(history.total))
    one = ids[0]
    two = one | ids[1] << 8
    three = two | ids[2] << 16
    keys = (
        one,
        two,
        three,
        three | ids[3] << 24,
        two | gap << 16,
        one << 54 | sum(map(_SET_MARK, set(session))) & _SET_BITS,
        one | bisect_right(AGE_BOUNDS_S, age_s) << 8,
        one | int(hour) << 8,
    )
    return Situation(history.user_id, ids[:DEPTH], keys, session, numbers, opens)


def _seconds(milliseconds: int) -> float:
    """Times may run backwards; a length of time is never below 0."""
    return milliseconds / 1000 if milliseconds > 0 else 0.0


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
