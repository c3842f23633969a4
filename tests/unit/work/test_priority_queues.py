from __future__ import annotations

from itertools import count

import pytest
from work_samples import queued

from streams.contracts.clock import ManualClock
from streams.contracts.errors import ConfigurationError
from streams.work.queues import PriorityQueues, QueueConfig, default_deadlines
from streams.work.records import QueuedJob


def queues(slots: int, clock: ManualClock | None = None, **config: object) -> PriorityQueues:
    return PriorityQueues(QueueConfig(slots=slots, **config), clock or ManualClock())  # type: ignore[arg-type]


def put(into: PriorityQueues, *priorities: int) -> list[QueuedJob]:
    made = [queued(priority) for priority in priorities]
    for one in made:
        into.put(one)
    return made


def drain(from_: PriorityQueues) -> list[int]:
    """Priorities in the order they start, one at a time."""
    order = []
    while (one := from_.take()) is not None:
        order.append(one.job.priority)
        from_.finished(one)
    return order


def test_the_highest_starts_first_and_equals_in_their_order() -> None:
    one = queues(4)
    made = put(one, 3, 10, 8, 8, 9, 1)
    assert [queued_.job.priority for queued_ in one] == [10, 9, 8, 8, 3, 1]
    first_eight = made[2]
    assert drain(one) == [10, 9, 8, 8, 3, 1]
    put(one, 8)
    assert first_eight.job.priority == 8
    assert len(one) == one.depth(8) == 1


@pytest.mark.parametrize(("slots", "reserved"), [(1, 0), (2, 1), (3, 1), (7, 1), (20, 3), (100, 15)])
def test_some_slots_are_kept_for_what_somebody_waits_for(slots: int, reserved: int) -> None:
    one = queues(slots)
    put(one, *[8] * slots)
    running = 0
    while one.take() is not None:
        running += 1
    assert running == slots - reserved
    put(one, *[10] * (reserved + 1))
    for _ in range(reserved):
        found = one.take()
        assert found is not None
        assert found.job.priority == 10
    assert one.take() is None


def test_what_waits_too_long_gets_a_start_and_no_more() -> None:
    clock = ManualClock()
    one = queues(1, clock)
    put(one, *[1] * 5)
    put(one, *[8] * 60)
    clock.advance(61.0)
    order = drain(one)
    assert order[:10] == [8] * 9 + [1]
    assert order[10:20] == [8] * 10, "its deadline begins anew with its start"


def test_relief_is_one_start_in_ten_and_one_at_a_time() -> None:
    one = queues(8, deadlines_s=dict.fromkeys(range(1, 9), 0.0))
    put(one, *[1] * 20, *[8] * 300)
    relief: QueuedJob | None = None
    reliefs = 0
    for number in range(1, 250):
        found = one.take()
        assert found is not None
        if found.job.priority == 8:
            one.finished(found)
        else:
            assert relief is None, "a second relief while one still runs"
            relief, reliefs = found, reliefs + 1
        assert number >= 10 * reliefs
        if number % 35 == 0 and relief is not None:
            one.finished(relief)
            relief = None
    assert reliefs == 8


@pytest.mark.parametrize("load", [8, 9, 10])
def test_under_steady_load_from_above_the_lowest_waits_no_longer_than_its_bound(load: int) -> None:
    """Deadline, plus the ten starts that may come before a relief; whatever the load's priority."""
    clock = ManualClock()
    slots, job_s = 3, 0.5
    one = queues(slots, clock)
    put(one, 1)
    running: list[QueuedJob] = []
    waited = None
    for tick in count():
        put(one, *[load] * slots)
        while (found := one.take()) is not None:
            running.append(found)
            if found.job.priority == 1:
                waited = clock.monotonic()
        if waited is not None:
            break
        assert tick < 1_000, "the lowest priority starves"
        clock.advance(job_s)
        for found in running:
            one.finished(found)
        running.clear()
    assert 60.0 <= waited <= 60.0 + 10 * job_s


def test_an_old_backlog_does_not_make_everything_urgent() -> None:
    clock = ManualClock()
    one = queues(2, clock)
    for priority in (2, 3, 4, 8):
        put(one, *[priority] * 50)
    clock.advance(3_600.0)
    assert drain(one)[:60].count(8) >= 45


def test_relief_can_be_switched_off() -> None:
    clock = ManualClock()
    one = queues(1, clock, deadlines_s={1: float("inf")})
    put(one, 1, *[8] * 30)
    clock.advance(1e9)
    assert drain(one) == [8] * 30 + [1]


def test_dropped_jobs_are_gone_and_the_others_keep_their_order() -> None:
    one = queues(2)
    made = put(one, 8, 3, 8, 8)
    assert one.drop(lambda queued_: queued_ in made[1:3]) == [made[1], made[2]]
    assert list(one) == [made[0], made[3]]
    assert one.oldest(3) is None
    assert one.oldest(8) is made[0]


def test_mates_share_the_first_one_s_slot() -> None:
    one = queues(2)
    for task in ("scene_detection", "ctr_prediction", "ctr_prediction", "scene_detection"):
        one.put(queued(8, task=task))
    first = one.take()
    assert first is not None
    assert one.take_mates(first, 5) == []
    one.finished(first)
    first = one.take()
    assert first is not None
    assert [mate.job.task for mate in one.take_mates(first, 5)] == ["ctr_prediction"]
    one.put_first(first)
    assert one.oldest(8) is first


def test_deadlines_fall_on_a_line() -> None:
    deadlines = default_deadlines()
    assert (deadlines[1], deadlines[5], deadlines[9]) == (60.0, 35.0, 10.0)
    assert 10 not in deadlines


@pytest.mark.parametrize(
    "wrong", [{"slots": 0}, {"slots": 1, "reserved_share": 1.0}, {"slots": 1, "relief_every": 1}]
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        QueueConfig(**wrong)  # type: ignore[arg-type]
