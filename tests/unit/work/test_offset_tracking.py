from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from work_samples import partition

from streams.work.offsets import OffsetTracker

ONE, OTHER = partition(0), partition(1)


class TrackerModel(RuleBasedStateMachine):
    """Against the plain definition: nothing at or behind an unfinished offset may be committed."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = OffsetTracker()
        self.epoch = 1
        self.received: list[int] = []
        self.finished: set[int] = set()
        self.stale: list[tuple[int, int]] = []
        self.committed: int | None = None
        self.next_offset = 0
        self.tracker.assign(ONE, self.epoch)

    @rule(gap=st.integers(0, 3))
    def receive(self, gap: int) -> None:
        offset = self.next_offset + gap
        self.next_offset = offset + 1
        assert self.tracker.receive(ONE, self.epoch, offset)
        self.received.append(offset)

    @precondition(lambda self: self.received)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(self.received))
        self.tracker.finish(ONE, self.epoch, offset)
        self.finished.add(offset)

    @rule()
    def reassign(self) -> None:
        """A rebalance: delivery goes on at the committed offset, under a new epoch."""
        self.stale = [(self.epoch, offset) for offset in self.received]
        self.epoch += 1
        self.tracker.assign(ONE, self.epoch)
        self.received, self.finished = [], set()
        self.next_offset = self.committed or 0

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def finish_late(self, data: st.DataObject) -> None:
        """A job of an assignment that is over changes nothing."""
        epoch, offset = data.draw(st.sampled_from(self.stale))
        self.tracker.finish(ONE, epoch, offset)
        assert not self.tracker.receive(ONE, epoch, offset)

    @rule(accepted=st.booleans())
    def commit(self, accepted: bool) -> None:
        taken = self.tracker.positions()
        if not taken:
            return
        if accepted:
            self.committed = taken[ONE]
        else:
            self.tracker.forget_commit(ONE)
            assert self.tracker.positions() == taken, "a failed commit is taken again"
            self.committed = taken[ONE]

    @invariant()
    def nothing_unfinished_is_behind_the_position(self) -> None:
        unfinished = [offset for offset in self.received if offset not in self.finished]
        done_before = [o for o in self.received if not unfinished or o < unfinished[0]]
        expected = done_before[-1] + 1 if done_before else None
        assert self.tracker._partitions[ONE].position == expected
        assert self.tracker.in_hand(ONE) == len(self.received) - len(done_before)


TestTrackerModel = TrackerModel.TestCase
TestTrackerModel.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


@given(st.permutations(range(8)))
def test_any_order_of_ends_commits_everything_at_last(order: list[int]) -> None:
    tracker = OffsetTracker()
    tracker.assign(ONE, 1)
    for offset in range(8):
        tracker.receive(ONE, 1, offset * 3)
    for offset in order:
        tracker.finish(ONE, 1, offset * 3)
    assert tracker.positions() == {ONE: 22}
    assert tracker.positions() == {}, "nothing moved since"


def test_partitions_do_not_hold_each_other_back() -> None:
    tracker = OffsetTracker()
    for where in (ONE, OTHER):
        tracker.assign(where, 1)
        tracker.receive(where, 1, 5)
    tracker.finish(OTHER, 1, 5)
    assert tracker.positions() == {OTHER: 6}
    assert tracker.positions([ONE]) == {}
    assert (tracker.in_hand(ONE), tracker.fullest(), sorted(p.number for p in tracker.partitions())) == (
        1,
        1,
        [0, 1],
    )


def test_what_was_revoked_is_nobody_s() -> None:
    tracker = OffsetTracker()
    tracker.assign(ONE, 1)
    tracker.receive(ONE, 1, 0)
    tracker.revoke([ONE, OTHER])
    tracker.finish(ONE, 1, 0)
    assert not tracker.is_current(ONE, 1)
    assert tracker.positions([ONE]) == {}


def test_a_job_that_ends_twice_counts_once() -> None:
    tracker = OffsetTracker()
    tracker.assign(ONE, 1)
    for offset in (0, 1):
        tracker.receive(ONE, 1, offset)
    for _ in range(3):
        tracker.finish(ONE, 1, 0)
    assert tracker.positions() == {ONE: 1}
    assert tracker._partitions[ONE].finished == 0


def test_offsets_come_in_order() -> None:
    tracker = OffsetTracker()
    tracker.assign(ONE, 1)
    tracker.receive(ONE, 1, 7)
    with pytest.raises(ValueError, match="offset 7 after 7"):
        tracker.receive(ONE, 1, 7)


def test_a_first_job_that_holds_all_others_back_is_found() -> None:
    tracker = OffsetTracker()
    tracker.assign(ONE, 1)
    for offset in range(100):
        tracker.receive(ONE, 1, offset)
    for offset in range(1, 98):
        tracker.finish(ONE, 1, offset)
    assert tracker.blocked(window=100) == {}
    for offset in (98, 99):
        tracker.finish(ONE, 1, offset)
    assert tracker.blocked(window=100) == {ONE: 0}
    assert tracker.blocked(window=200) == {}
