from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from work_samples import partition, queued

from streams.contracts.clock import ManualClock
from streams.contracts.errors import ConfigurationError
from streams.contracts.topics import TopicNames
from streams.work.flow import FlowConfig, FlowControl
from streams.work.offsets import OffsetTracker
from streams.work.queues import PriorityQueues, QueueConfig
from streams.work.records import Partition, QueuedJob

NAMES = TopicNames()
P8 = [partition(n, NAMES.jobs(8)) for n in range(2)]
P3 = partition(0, NAMES.jobs(3))


class RecordedIntake:
    """Which partitions are paused, and how often that changed: each change costs a refetch."""

    def __init__(self) -> None:
        self.paused: set[Partition] = set()
        self.toggles = 0

    def pause(self, partitions: Iterable[Partition]) -> None:
        self.toggles += 1
        self.paused.update(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self.toggles += 1
        self.paused.difference_update(partitions)


class Bench:
    def __init__(self, **config: int) -> None:
        self.intake = RecordedIntake()
        self.queues = PriorityQueues(QueueConfig(slots=1), ManualClock())
        self.tracker = OffsetTracker()
        marks: dict[str, Any] = {"high": 10, "low": 4, "window": 1000, **config}
        self.flow = FlowControl(FlowConfig(**marks), NAMES, self.intake, self.queues, self.tracker)  # type: ignore[arg-type]
        self.offset = 0
        self.assign([*P8, P3])

    def assign(self, partitions: list[Partition]) -> None:
        for one in partitions:
            self.tracker.assign(one, 1)
        self.flow.after_assign(partitions)

    def receive(self, where: Partition, count: int = 1) -> list[QueuedJob]:
        made = []
        for _ in range(count):
            self.tracker.receive(where, 1, self.offset)
            made.append(queued(8 if where in P8 else 3, at=where, offset=self.offset))
            self.queues.put(made[-1])
            self.offset += 1
        self.flow.after_put({where})
        return made

    def start(self, count: int = 1) -> None:
        for _ in range(count):
            one = self.queues.take()
            assert one is not None
            self.flow.after_take(one.job.priority)
            self.queues.finished(one)
            self.tracker.finish(one.record.partition, 1, one.record.offset)
            self.flow.after_finish(one.record.partition)


def test_a_full_priority_is_paused_whole_and_the_others_go_on() -> None:
    bench = Bench()
    bench.receive(P8[0], 9)
    assert bench.intake.paused == set()
    bench.receive(P8[0])
    assert bench.intake.paused == set(P8)


def test_it_resumes_at_the_low_mark_and_toggles_twice_only() -> None:
    bench = Bench()
    bench.receive(P8[0], 10)
    bench.start(5)
    assert bench.intake.paused == set(P8)
    bench.start()
    assert bench.intake.paused == set()
    assert bench.intake.toggles == 2
    bench.receive(P8[1], 5)
    bench.start(9)
    assert bench.intake.toggles == 2


def test_a_partition_whose_window_is_full_is_paused_alone() -> None:
    bench = Bench(high=1000, low=100, window=10)
    bench.receive(P8[0], 10)
    assert bench.intake.paused == {P8[0]}
    bench.start(4)
    assert bench.intake.paused == {P8[0]}
    bench.start()
    assert bench.intake.paused == set()


def test_a_partition_is_not_resumed_for_one_cause_while_the_other_holds() -> None:
    bench = Bench(high=10, low=9, window=10)
    bench.receive(P8[0], 10)
    bench.receive(P8[1], 2)
    assert bench.intake.paused == set(P8)
    bench.start(3)
    assert bench.intake.paused == {P8[0]}, "its window is still more than half full"


def test_a_new_assignment_is_paused_again_where_its_queue_is_full() -> None:
    bench = Bench()
    bench.receive(P8[0], 10)
    bench.intake.paused.clear()
    bench.assign([P8[1], P3])
    assert bench.intake.paused == {P8[1]}


def test_a_revocation_that_empties_the_queue_ends_the_pause() -> None:
    bench = Bench()
    bench.receive(P8[0], 10)
    bench.queues.drop(lambda one: one.record.partition == P8[0])
    bench.tracker.revoke([P8[0]])
    bench.flow.after_revoke([P8[0]])
    assert bench.intake.paused == {P8[0]}, "what is gone is not ours to resume"
    bench.assign([P8[0]])
    assert P8[1] not in bench.intake.paused


def test_retry_topics_have_no_priority_but_a_window() -> None:
    bench = Bench(high=1000, low=100, window=4)
    retry = partition(0, "precompute.jobs.retry.5s")
    bench.assign([retry])
    for offset in range(4):
        bench.tracker.receive(retry, 1, offset)
    bench.flow.after_put({retry})
    assert bench.intake.paused == {retry}
    for offset in range(2):
        bench.tracker.finish(retry, 1, offset)
        bench.flow.after_finish(retry)
    assert bench.intake.paused == set()


@pytest.mark.parametrize("marks", [(5, 5, 10), (5, 0, 10), (5, 4, 0)])
def test_wrong_marks_are_refused(marks: tuple[int, int, int]) -> None:
    high, low, window = marks
    with pytest.raises(ConfigurationError):
        FlowConfig(high=high, low=low, window=window)
