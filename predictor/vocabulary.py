"""Names of actions as small integers; bounded, whatever the events contain."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.history import END, LOGIN, OTHER

END_ID = 0
OTHER_ID = 1
_RESERVED = (END, OTHER)
#: LOGIN is context and never an outcome: its id lies outside the outcomes' 0..len-1.
LOGIN_ID = 255
#: Stands where a history is shorter than a context.
NOTHING_ID = 254

#: An id fits a byte (a user's window is a bytearray), and a forest of more classes learns nothing.
MAX_NAMES = 250


class Vocabulary:
    """The outcomes; grows with every new name until it is full, later names are OTHER."""

    def __init__(self, names: Sequence[str] = (), *, capacity: int = MAX_NAMES) -> None:
        self._capacity = min(capacity, MAX_NAMES)
        self.names: list[str] = list(_RESERVED)
        #: name -> id, LOGIN included; a name that is not here is OTHER.
        self.ids = {name: index for index, name in enumerate(self.names)} | {LOGIN: LOGIN_ID}
        for name in names:
            self.learn(name)

    def __len__(self) -> int:
        return len(self.names)

    def id_of(self, name: str) -> int:
        """The name's id, or that of OTHER."""
        return self.ids.get(name, OTHER_ID)

    def translation_from(self, other: Vocabulary) -> bytes:
        """A table for `bytes.translate`: what the other vocabulary's ids are called here."""
        known = [self.id_of(name) for name in other.names]
        return bytes(known + [OTHER_ID] * (NOTHING_ID - len(known)) + [NOTHING_ID, LOGIN_ID])

    def learn(self, name: str) -> int:
        """The name's id, a new one while there is room."""
        known = self.ids.get(name)
        if known is not None:
            return known
        if len(self.names) >= self._capacity:
            return OTHER_ID
        self.ids[name] = len(self.names)
        self.names.append(name)
        return self.ids[name]
