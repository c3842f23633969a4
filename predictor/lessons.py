"""What an action teaches about the history before it: the same for every model."""

from __future__ import annotations

from typing import NamedTuple

from predictor.history import END, LOGIN, Action, History


class Lesson(NamedTuple):
    """One outcome to count. `opens` says that LOGIN stands between the history and the outcome."""

    outcome: str
    opens: bool


def lessons_of(history: History, action: Action) -> list[Lesson]:
    """The outcomes that `action`, coming after `history`, makes known; in the order they happened.

    An action that opens a session shows that the one before it had ended; an explicit END says only
    that; LOGIN is never an outcome.
    """
    unfinished = bool(history.actions) and not history.ended
    if action.name == END:
        return [Lesson(END, opens=False)] if unfinished else []
    opens = history.starts_session(action)
    lessons = [Lesson(END, opens=False)] if opens and unfinished else []
    if action.name != LOGIN:
        lessons.append(Lesson(action.name, opens=opens))
    return lessons


def names_to_remember(history: History, action: Action) -> tuple[str, ...]:
    """What `history.append(action)` will add, by name."""
    if action.name == END:
        return ()
    if not history.starts_session(action):
        return () if action.name == LOGIN else (action.name,)
    return (LOGIN,) if action.name == LOGIN else (LOGIN, action.name)
