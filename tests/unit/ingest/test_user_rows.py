"""A row is written around actions that are encoded already; whoever reads it must not notice."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from predictor.history import Action, History
from streams.ingest import state as module
from streams.ingest.state import UserState, UserStates, decode_user

names = st.text(min_size=1, max_size=12)
times = st.integers(0, 2**40)
histories = st.builds(
    History,
    names,
    st.lists(st.builds(Action, names, times, st.none() | names, st.none() | names), max_size=8),
    st.integers(0, 2**40),
    st.booleans(),
    times,
)
states = st.builds(
    UserState,
    histories,
    st.dictionaries(names, times, max_size=3),
    st.integers(0, 2**63 - 1),
    st.lists(names, max_size=3),
    st.lists(st.integers(0, 2**64 - 1), max_size=4),
    st.integers(-1, 20),
)


@given(states)
def test_a_row_is_what_its_state_encodes_to(state: UserState) -> None:
    table = {state.history.user_id.encode(): msgspec.msgpack.encode(state)}
    rows = UserStates(table, 1)
    rows.of(state.history.user_id)
    saved = rows.save()
    assert table == {state.history.user_id.encode(): msgspec.msgpack.encode(state)}
    assert decode_user(table[state.history.user_id.encode()]) == state
    assert saved == {state.history.user_id: msgspec.msgpack.encode(state.history.actions)}


def test_a_row_has_every_field_of_the_state() -> None:
    """A field that is added to one must be added to the other."""
    assert UserState.__struct_fields__ == module._UserRow.__struct_fields__
    assert History.__struct_fields__ == module._HistoryRow.__struct_fields__
