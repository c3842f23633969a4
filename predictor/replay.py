"""A log played again in the order of time, as a live system would have seen it."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from predictor.dataset import Record
from predictor.history import END, LOGIN, SESSION_GAP_MS, Action, History

#: Sessions are taken as given, so no gap may split one during a replay.
_NEVER_MS = 1 << 62


class Lesson(NamedTuple):
    """`action` is known to have followed `history`; END once the session's gap has passed."""

    history: History
    action: Action


class Question(NamedTuple):
    """A position: `outcome` (an action or END) follows `history`, asked at `at_ms`. `number` counts them."""

    number: int
    history: History
    at_ms: int
    outcome: str


class _Step(NamedTuple):
    at_ms: int
    row: int
    #: 0 for the LOGIN before the row, 1 for the row.
    part: int
    unit: str
    session: tuple[str, str]
    name: str
    outcome: str


def replay_log(records: Sequence[Record], *, gap_ms: int = SESSION_GAP_MS) -> Iterator[Lesson | Question]:
    """Lessons and questions as time passes.

    Nothing comes from the future: an action is a lesson when it happens, an END once `gap_ms` have passed
    without another action, or when the user's next session begins. The histories are the generator's own
    and move on; use them before asking for the next item.
    """
    histories: dict[str, History] = {}
    sessions: dict[str, tuple[str, str]] = {}
    ends: list[tuple[int, int, str, tuple[str, str]]] = []
    for number, step in enumerate(_steps(records)):
        while ends and ends[0][0] <= step.at_ms:
            at_ms, _, unit, session = heapq.heappop(ends)
            if sessions[unit] == session:
                yield Lesson(histories[unit], Action(END, at_ms))
                histories[unit].close()
        history = histories.get(step.unit)
        if history is None:
            history = histories[step.unit] = History(step.unit, gap_ms=_NEVER_MS)
        action = Action(step.name, step.at_ms)
        yield Lesson(history, action)
        history.append(action)
        sessions[step.unit] = step.session
        yield Question(number, history, step.at_ms, step.outcome)
        if step.outcome == END:
            heapq.heappush(ends, (step.at_ms + gap_ms, number, step.unit, step.session))


def outcomes_of(records: Sequence[Record]) -> list[str]:
    """The outcome of every question of `replay_log`, in its order."""
    return [step.outcome for step in _steps(records)]


def _steps(records: Sequence[Record]) -> list[_Step]:
    """Every row, and a LOGIN at each session's start, by time; rows of one time keep their order."""
    records = _without_late_logins(records)
    following = _following(records)
    units = _units(records)
    started: set[tuple[str, str]] = set()
    steps = []
    for row, record in enumerate(records):
        session = (record.user, record.session)
        unit = units.get(session, record.user)
        if session not in started:
            started.add(session)
            if record.action != LOGIN:
                steps.append(_Step(record.at_ms, row, 0, unit, session, LOGIN, record.action))
        steps.append(_Step(record.at_ms, row, 1, unit, session, record.action, following[row]))
    steps.sort(key=lambda step: step[:3])
    return steps


def _without_late_logins(records: Sequence[Record]) -> list[Record]:
    """LOGIN opens a session; in the middle of one it tells nothing and is no outcome."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for record in records:
        session = (record.user, record.session)
        if record.action != LOGIN or session not in seen:
            kept.append(record)
        seen.add(session)
    return kept


def _following(records: Sequence[Record]) -> list[str]:
    outcomes = [END] * len(records)
    last: dict[tuple[str, str], int] = {}
    for row, record in enumerate(records):
        before = last.get((record.user, record.session))
        if before is not None:
            outcomes[before] = record.action
        last[record.user, record.session] = row
    return outcomes


def _units(records: Sequence[Record]) -> dict[tuple[str, str], str]:
    """A name of its own for every session of a user whose sessions overlap: they share no history."""
    spans: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for record in records:
        first, _ = spans[record.user].get(record.session, (record.at_ms, 0))
        spans[record.user][record.session] = (first, record.at_ms)
    units = {}
    for user, sessions in spans.items():
        ordered = sorted(sessions.values())
        if any(a[1] > b[0] for a, b in itertools.pairwise(ordered)):
            units.update({(user, session): f"{user}/{session}" for session in sessions})
    return units
