"""What streams knows of one user, and of the entities the user works with."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping

import msgspec

from predictor.history import History
from streams.contracts.cloudevents import RecordPlace
from streams.contracts.tasks import Entity

#: Versions of inputs: the broker's milliseconds, then the offset's last 20 bits. Two events of one
#: millisecond and topic keep their order, and an event read again gets the version it had.
_OFFSET_BITS = 20
#: The year 2109: a timestamp in microseconds, or none (-1), must not make a version that nothing can hold.
_LATEST_MS = (1 << 42) - 1
#: A publisher that retries does so within a few events of the same user.
REMEMBERED_EVENTS = 16


def input_version(place: RecordPlace) -> int:
    stamp = min(max(place.timestamp_ms, 0), _LATEST_MS)
    return (stamp << _OFFSET_BITS) | (place.offset & ((1 << _OFFSET_BITS) - 1))


class UserState(msgspec.Struct, array_like=True):
    """A row of the users table. `offsets` holds the last applied offset of each topic."""

    history: History
    offsets: dict[str, int] = {}
    version: int = 0
    #: `entity:id` of what this user brought in, oldest first; the keys of the inputs table.
    entities: list[str] = []
    #: Digests of the last events, so that one published twice counts once.
    recent: list[int] = []
    #: Where its events come from; offsets of another partition mean nothing here. -1 in rows of before.
    partition: int = -1

    def applies(self, topic: str, offset: int) -> bool:
        """Whether that record is new here: the table may be ahead of the committed offset."""
        return offset > self.offsets.get(topic, -1)

    def is_repeated(self, cause: str) -> bool:
        """Whether that event was applied lately under another offset; notes it otherwise."""
        digest = int.from_bytes(hashlib.blake2b(cause.encode(), digest_size=8).digest())
        if digest in self.recent:
            return True
        self.recent.append(digest)
        if len(self.recent) > REMEMBERED_EVENTS:
            del self.recent[0]
        return False

    def next_version(self, place: RecordPlace) -> int:
        """A version above all before, even where a broker's clock stepped back."""
        self.version = max(self.version + 1, input_version(place))
        return self.version


class InputRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of the inputs table: what an entity's answers are computed from."""

    user_id: str
    version: int
    payload: bytes


_encoder = msgspec.msgpack.Encoder()
_users = msgspec.msgpack.Decoder(UserState)
_inputs = msgspec.msgpack.Decoder(InputRow)


class _HistoryRow(msgspec.Struct, array_like=True):
    """A `History` whose actions are encoded already."""

    user_id: str
    actions: msgspec.Raw
    total: int
    ended: bool
    gap_ms: int


class _UserRow(msgspec.Struct, array_like=True):
    """A `UserState`, field by field, around such a history."""

    history: _HistoryRow
    offsets: dict[str, int]
    version: int
    entities: list[str]
    recent: list[int]
    partition: int


def _encode_row(state: UserState, actions: bytes) -> bytes:
    """The same bytes as of the state itself; its fifty actions are not encoded a second time."""
    history = state.history
    return _encoder.encode(
        _UserRow(
            _HistoryRow(history.user_id, msgspec.Raw(actions), history.total, history.ended, history.gap_ms),
            state.offsets,
            state.version,
            state.entities,
            state.recent,
            state.partition,
        )
    )


def encode_actions(history: History) -> bytes:
    """A user's actions as readers find them in Redis."""
    return _encoder.encode(history.actions)


class UserStates:
    """The users table during one slice: each row is read once and written once."""

    def __init__(self, table: MutableMapping[bytes, bytes], gap_ms: int) -> None:
        self._table = table
        self._gap_ms = gap_ms
        self._open: dict[str, UserState] = {}

    def is_at_home(self, user_id: str, partition: int) -> bool:
        """Whether the user's events were read from that partition before."""
        state = self._known(user_id)
        return state is not None and state.partition == partition

    def of(self, user_id: str) -> UserState:
        state = self._known(user_id)
        if state is None:
            state = self._open[user_id] = UserState(History(user_id, gap_ms=self._gap_ms))
        return state

    def _known(self, user_id: str) -> UserState | None:
        state = self._open.get(user_id)
        if state is None and (row := self._table.get(user_id.encode())):
            state = self._open[user_id] = _users.decode(row)
        return state

    def save(self) -> dict[str, bytes]:
        """Writes the rows that were opened; returns the users' actions, as the mirror keeps them."""
        saved = {}
        for user_id, state in self._open.items():
            actions = saved[user_id] = encode_actions(state.history)
            self._table[user_id.encode()] = _encode_row(state, actions)
        return saved


class Inputs:
    """The inputs table, by entity and id."""

    def __init__(self, table: MutableMapping[bytes, bytes]) -> None:
        self._table = table

    def get(self, entity: str, entity_id: str) -> InputRow | None:
        """The entity's input; None for an entity whose event was never seen, or too long ago."""
        row = self.known(f"{entity}:{entity_id}")
        if row is not None:
            return row
        # A user needs no event of its own: what it did is input enough.
        return InputRow(entity_id, 0, b"{}") if entity == Entity.USER else None

    def known(self, name: str) -> InputRow | None:
        """The row of `entity:id`, if there is one."""
        row = self._table.get(name.encode())
        return _inputs.decode(row) if row else None

    def put(self, name: str, row: InputRow) -> None:
        self._table[name.encode()] = _encoder.encode(row)

    def drop(self, name: str) -> None:
        self._table.pop(name.encode(), None)


def decode_user(row: bytes) -> UserState:
    return _users.decode(row)


def decode_input(row: bytes) -> InputRow:
    return _inputs.decode(row)
