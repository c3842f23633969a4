"""The recent actions of many users as bytes: what personal contexts are counted from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

from predictor.vocabulary import Vocabulary

#: Longest window of one user, in actions: one byte each, so 100,000 busy users take about 110 MB.
WINDOW = 1000
#: How many users are remembered; the one not seen for longest goes first.
MAX_USERS = 100_000


class UserWindows:
    """Least-recently-updated users leave when there are too many; each window keeps its newest ids."""

    def __init__(self, *, max_users: int = MAX_USERS, length: int = WINDOW) -> None:
        self._max_users = max_users
        self._length = length
        self._windows: OrderedDict[str, bytearray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def get(self, user_id: str) -> bytearray | None:
        """The user's ids, oldest first, or None for a user not remembered."""
        return self._windows.get(user_id)

    def put(self, user_id: str, ids: bytes | bytearray) -> bytearray:
        """Starts a window; forgets the user least recently updated if there is no room."""
        if len(self._windows) >= self._max_users and user_id not in self._windows:
            self._windows.popitem(last=False)
        window = bytearray(ids[-self._length :])
        self._windows[user_id] = window
        self._windows.move_to_end(user_id)
        return window

    def extend(self, user_id: str, window: bytearray, ids: bytes) -> None:
        """Adds what the user did; `window` is the one `get` or `put` returned."""
        window += ids
        if len(window) > self._length:
            del window[: len(window) - self._length]
        self._windows.move_to_end(user_id)

    def adopt(self, other: UserWindows, ids: bytes) -> None:
        """Takes over another model's windows; `ids` (256 of them) says what its ids are called here."""
        for user_id, window in other.items():
            self.put(user_id, window.translate(ids))

    def items(self) -> Iterator[tuple[str, bytearray]]:
        """(user, ids), the least recently updated first."""
        return iter(self._windows.items())


class HasUsers(Protocol):
    """Whatever keeps users' windows under a vocabulary's ids."""

    vocabulary: Vocabulary
    windows: UserWindows
