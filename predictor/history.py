"""What one user did lately: bounded, split into sessions, ready for a model."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streams.contracts.history import Action

__all__ = ["END", "LOGIN", "MAX_ACTIONS", "OTHER", "SESSION_GAP_MS", "Action", "History", "replay"]

#: The outcome "no further action before the session ended".
END = "END"
#: What stands at every session's start, from a `user.logged_in` event or inserted.
LOGIN = "LOGIN"
#: The pool of actions too rare, or too late, to have a name of their own.
OTHER = "OTHER"

#: 30 minutes: the usual cut of web analytics, and the gap of the logs the models were measured on.
SESSION_GAP_MS = 1_800_000
#: No model here looks further back than this in one user's history.
MAX_ACTIONS = 50


class History(msgspec.Struct, array_like=True):
    """The last actions of one user, oldest first, LOGIN at each session's start.

    `total` counts everything ever appended (LOGIN apart). `ended` says that the end of the last
    session was observed already, so that nobody learns it twice.
    """

    user_id: str
    actions: list[Action] = []
    total: int = 0
    ended: bool = False
    gap_ms: int = SESSION_GAP_MS

    def starts_session(self, action: Action) -> bool:
        """Whether `action` would open a new session: the first, after a log-in, or after the gap."""
        if self.ended or not self.actions:
            return True
        last = self.actions[-1]
        if action.name == LOGIN:
            return last.name != LOGIN or action.at_ms - last.at_ms > self.gap_ms
        return action.at_ms - last.at_ms > self.gap_ms

    def append(self, action: Action) -> None:
        """Adds what happened; puts LOGIN in front of an action that opens a session without one."""
        opens = self.starts_session(action)
        if action.name == LOGIN:
            if opens:
                self._push(action)
        else:
            if opens:
                self._push(Action(LOGIN, action.at_ms))
            self._push(action)
            self.total += 1
        self.ended = False

    def close(self) -> None:
        """Marks the last session as ended and its end as observed."""
        self.ended = True

    def session(self) -> list[Action]:
        """The actions of the running session, LOGIN first."""
        for index in range(len(self.actions) - 1, -1, -1):
            if self.actions[index].name == LOGIN:
                return self.actions[index:]
        return self.actions[:]

    def is_over(self, now_ms: int) -> bool:
        """Whether the running session has ended by `now_ms`."""
        return self.ended or not self.actions or now_ms - self.actions[-1].at_ms > self.gap_ms

    def _push(self, action: Action) -> None:
        self.actions.append(action)
        if len(self.actions) > MAX_ACTIONS:
            del self.actions[0]


def replay(user_id: str, actions: Iterable[Action], *, gap_ms: int = SESSION_GAP_MS) -> History:
    """The history after all of `actions`, oldest first."""
    history = History(user_id, gap_ms=gap_ms)
    for action in actions:
        history.append(action)
    return history
