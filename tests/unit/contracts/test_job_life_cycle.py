from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streams.contracts.errors import StateError
from streams.contracts.states import FINAL, Reason, Status, advance, is_final

#: The diagram of streams/contracts/states.py, written down a second time.
ALLOWED = {
    (None, Status.QUEUED),
    (Status.QUEUED, Status.PROCESSING),
    (Status.QUEUED, Status.SKIPPED),
    (Status.QUEUED, Status.CANCELLED),
    (Status.QUEUED, Status.FAILED),
    (Status.PROCESSING, Status.QUEUED),
    *((Status.PROCESSING, end) for end in FINAL),
}


class JobLife(RuleBasedStateMachine):
    """Any sequence of requests: the status follows the diagram, and an end is an end."""

    def __init__(self) -> None:
        super().__init__()
        self.status: Status | None = None
        self.ended: Status | None = None

    @rule(wanted=st.sampled_from(Status))
    def request(self, wanted: Status) -> None:
        if (self.status, wanted) in ALLOWED:
            self.status = advance(self.status, wanted)
            assert self.status is wanted
        else:
            with pytest.raises(StateError, match="cannot go"):
                advance(self.status, wanted)
        if self.ended is None and self.status is not None and is_final(self.status):
            self.ended = self.status

    @invariant()
    def an_end_stays(self) -> None:
        assert self.ended is None or self.status is self.ended


TestJobLife = JobLife.TestCase
TestJobLife.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)


def test_the_error_names_both_ends() -> None:
    with pytest.raises(StateError, match="from nothing to completed"):
        advance(None, Status.COMPLETED)
    with pytest.raises(StateError, match="from completed to queued"):
        advance(Status.COMPLETED, Status.QUEUED)


def test_reasons_are_labels() -> None:
    assert all(reason == "" or reason.replace("_", "").isalpha() for reason in Reason)
    assert {status for status in Status if is_final(status)} == FINAL
