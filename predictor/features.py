"""The inputs of blend and forest: one function, for training and for serving.

A feature never comes from the future: counts hold what was observed before the question was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from predictor.experts import EXPERTS, GLOBAL_EXPERTS, ContextBank, Floats
from predictor.history import Action, History
from predictor.lessons import Lesson, lessons_of, names_to_remember
from predictor.personal import LONG_WINDOW, count_personal
from predictor.situation import DEPTH, Situation, describe
from predictor.vocabulary import NOTHING_ID, Vocabulary
from predictor.windows import HasUsers, UserWindows

#: Goes up when the meaning of a feature changes; a model trained on another schema is refused.
SCHEMA = 3

#: Names a blend can still learn after its training.
SPARE_NAMES = 8


_SHARED = len(GLOBAL_EXPERTS)


class Observed(msgspec.Struct, frozen=True, gc=False):
    """What n questions look like: `logs` [experts, n, width] is what each expert says, up to a constant,
    and `recent` [n, width] how often the user did what lately.
    """

    situations: list[Situation]
    logs: Floats
    recent: Floats


class FeatureState:
    """What has been observed so far, by everybody and by each user; grows with every lesson.

    `names` are the outcomes known from the start, END and OTHER first; `width` is their number and the
    spare ones'.
    """

    def __init__(self, names: Sequence[str], *, spare: int = SPARE_NAMES) -> None:
        self.trained = len(names)
        self.vocabulary = Vocabulary(names, capacity=len(names) + spare)
        self.width = self.trained + spare
        self.bank = ContextBank(self.width)
        self.windows = UserWindows(length=LONG_WINDOW)
        #: False stops counting in shared contexts; users' own windows still grow.
        self.learning = True

    def observe(self, history: History, action: Action) -> list[Lesson]:
        """Counts what `action` teaches, and returns it; call it before `history.append(action)`."""
        self.vocabulary.learn(action.name)
        lessons = lessons_of(history, action) if self.learning else []
        for lesson in lessons:
            asked_ms = action.at_ms if lesson.opens else _last_ms(history)
            situation = describe(history, asked_ms, self.vocabulary)
            self.bank.add(situation, self.vocabulary.id_of(lesson.outcome))
        remembered = bytes([self.vocabulary.id_of(name) for name in names_to_remember(history, action)])
        if remembered:
            window = self.windows.get(history.user_id)
            if window is None:
                window = self.windows.put(history.user_id, self._seed(history))
            self.windows.extend(history.user_id, window, remembered)
        return lessons

    def look_at(self, histories: Sequence[History], now_ms: int) -> Observed:
        """The expert's opinions and the situations, for n questions at once."""
        vocabulary, users = self.vocabulary, self.windows
        situations = [describe(history, now_ms, vocabulary) for history in histories]
        windows = [users.get(history.user_id) or self._seed(history) for history in histories]
        counts = np.empty((len(EXPERTS), len(situations), self.width), np.float32)
        rows = self.bank.look_up(situations, counts[:_SHARED])
        count_personal(windows, [situation.ids for situation in situations], counts[_SHARED:])
        logs = counts + self.bank.priors(rows)
        return Observed(situations, np.log(logs, out=logs), counts[_SHARED])

    def adopt_users(self, other: HasUsers) -> None:
        """Takes over the users' windows of what served until now, by the names of the actions."""
        self.windows.adopt(other.windows, self.vocabulary.translation_from(other.vocabulary))

    def forget_users(self) -> None:
        """Drops every user's window."""
        self.windows = UserWindows(length=LONG_WINDOW)

    def _seed(self, history: History) -> bytes:
        """What a user unknown here did, as far as the history tells."""
        return bytes([self.vocabulary.id_of(action.name) for action in history.actions])


def forest_inputs(observed: Observed, mixed: Floats, trained: int, out: Floats | None = None) -> Floats:
    """[n, features] of a forest: the last ids, the situation's numbers, and per trained outcome how often
    the session had it, what the experts together say (`mixed`, log-probabilities [n, width]), and how
    often the user did it lately. Written to `out` where one is given.
    """
    situations = observed.situations
    session = DEPTH + len(situations[0].numbers)
    pooled, recent = session + trained, session + 2 * trained
    inputs = np.empty((len(situations), recent + trained), np.float32) if out is None else out
    rows = [[*map(_ORDINALS, s.ids), *s.numbers] for s in situations]
    if len(rows) == 1:
        # A single question is spared what many need: an array of its own for the counts.
        inputs[0, :pooled] = rows[0] + _count_session(situations[0].session, trained)
    else:
        inputs[:, :session] = rows
        inputs[:, session:pooled] = _count_sessions(situations, trained)
    inputs[:, pooled:recent] = mixed[:, :trained]
    inputs[:, recent:] = observed.recent[:, :trained]
    return inputs


def _count_session(session: Sequence[int], trained: int) -> list[float]:
    """How often a session had each outcome; outcomes learned later are left out."""
    counts = [0.0] * trained
    for seen in session:
        if seen < trained:
            counts[seen] += 1.0
    return counts


def _count_sessions(situations: Sequence[Situation], trained: int) -> Any:
    """`_count_session` of each, [n, trained]."""
    cells = [
        row * trained + seen
        for row, situation in enumerate(situations)
        for seen in situation.session
        if seen < trained
    ]
    return np.bincount(cells, minlength=len(situations) * trained).reshape(-1, trained) if cells else 0.0


#: Outcomes by frequency, LOGIN and nothing below them: a tree's split then means something.
_ORDINALS = [*map(float, range(NOTHING_ID)), -1.0, -2.0].__getitem__


def _last_ms(history: History) -> int:
    return history.actions[-1].at_ms if history.actions else 0
