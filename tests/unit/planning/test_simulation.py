"""The simulation against what is known exactly, and the plans against the simulation."""

from __future__ import annotations

import statistics

import pytest

from streams.contracts.topics import DAY_S
from streams.planning.arrivals import Arrival, DailyRate, Window, draw_arrivals
from streams.planning.constants import JOB_CPU_S
from streams.planning.simulation import FleetConfig, percentile, simulate
from streams.planning.sizing import make_plan
from streams.planning.waiting import mean_wait_s, priority_wait_s
from streams.planning.workload import DEFAULT_TASKS, TaskLoad, Workload, parse_tasks


def load(per_event: float, cpu_s: float, priority: int = 8, **more: object) -> TaskLoad:
    return TaskLoad(task=f"t{priority}", per_event=per_event, cpu_s=cpu_s, priority=priority, **more)  # type: ignore[arg-type]


def job(at_s: float, priority: int, cpu_s: float = 1.0, **more: object) -> Arrival:
    return Arrival(at_s=at_s, worker=0, task="t", priority=priority, cpu_s=cpu_s, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("children", "busy", "cv"), [(1, 0.7, 0.7), (4, 0.7, 0.7), (4, 0.8, 1.0), (8, 0.8, 0.3)]
)
def test_waits_for_children_are_those_of_the_formula(children: int, busy: float, cv: float) -> None:
    per_s = children * busy / 0.1
    workload = Workload(events_per_s=per_s, tasks=(load(1, 0.1),), peak=1.0)
    fleet = FleetConfig(workers=1, slots=200, children=children, loop_s=0)

    window = Window(seconds=25_000 / per_s, workers=1, fleet=1, cv=cv)
    report = simulate(draw_arrivals(workload, window), fleet)

    expected = mean_wait_s(children, per_s, 0.1, cv)
    assert report.busy == pytest.approx(busy, rel=0.03)
    # An approximation for more than one server; it is low where times are even.
    assert statistics.fmean(report.all_waits_s()) == pytest.approx(expected, rel=0.25)


def test_priorities_wait_as_cobham_says() -> None:
    classes = [(8, 2.0), (5, 3.0), (2, 3.0)]
    tasks = tuple(load(per_s, 0.1, priority) for priority, per_s in classes)
    workload = Workload(events_per_s=1, tasks=tasks, peak=1.0)
    # One slot: what began is finished, then comes the most urgent.
    fleet = FleetConfig(workers=1, slots=1, children=1, loop_s=0)

    report = simulate(draw_arrivals(workload, Window(seconds=20_000, workers=1, fleet=1)), fleet)

    for rank, (priority, _) in enumerate(classes):
        expected = priority_wait_s([(per_s, 0.1) for _, per_s in classes], rank, 0.7)
        assert statistics.fmean(report.waits_s[priority]) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("events_per_s", [300.0, 20_000.0])
def test_a_planned_fleet_carries_its_peak(events_per_s: float) -> None:
    workload = Workload(events_per_s=events_per_s, tasks=parse_tasks(DEFAULT_TASKS, speculation=0.1))
    plan = make_plan(workload)
    fleet = plan.role("worker").replicas
    window = Window(seconds=1200, workers=2, fleet=fleet)
    config = FleetConfig(workers=2, slots=plan.slots, children=plan.children, loop_s=JOB_CPU_S.value)

    report = simulate(draw_arrivals(workload, window), config)

    child_waits = report.waits_s[8]
    assert report.busy == pytest.approx(plan.busy, rel=0.15)
    assert statistics.fmean(child_waits) < 3 * plan.child_wait_s
    # What reserved room is for: asynchronous jobs of a lower priority start at once nearly always.
    assert percentile(report.waits_s[7], 0.95) < 1.0
    assert report.shed == report.expired == 0


def test_half_a_fleet_drowns_and_sheds_predictions_first() -> None:
    tasks = parse_tasks("video=0.01", speculation=2.0)
    workload = Workload(events_per_s=100, tasks=tasks, peak=1.0)
    fleet = FleetConfig(workers=1, slots=6, children=2, loop_s=JOB_CPU_S.value)

    report = simulate(draw_arrivals(workload, Window(seconds=300, workers=1, fleet=1)), fleet)

    assert report.shed > 0
    assert statistics.fmean(report.waits_s[8]) > 10


def test_the_same_seed_is_the_same_run() -> None:
    workload = Workload(events_per_s=50, tasks=parse_tasks(DEFAULT_TASKS))
    fleet = FleetConfig(workers=2, slots=8, children=4, loop_s=0.001)

    def run(seed: int) -> dict[int, list[float]]:
        return simulate(
            draw_arrivals(workload, Window(seconds=60, workers=2, fleet=2, seed=seed)), fleet
        ).waits_s

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_a_predicted_job_that_waits_too_long_is_dropped() -> None:
    fleet = FleetConfig(workers=1, slots=1, children=1, loop_s=0, predicted_ttl_s=5)

    report = simulate([job(0, 8, 10.0), job(1, 3, predicted=True), job(2, 3)], fleet)

    assert (report.completed, report.expired) == (2, 1)


def test_asynchronous_work_holds_no_child() -> None:
    waits = [job(0, 8, 0.0, wait_s=10.0, in_child=False) for _ in range(3)]
    fleet = FleetConfig(workers=1, slots=5, children=1, loop_s=0)

    report = simulate([*waits, job(0, 5)], fleet)

    assert report.answers_s[5] == [1.0]


@pytest.mark.parametrize("peak", [1.0, 1.5, 2.0, 3.0])
def test_the_day_has_the_peak_asked_for_and_the_mean(peak: float) -> None:
    daily = DailyRate(peak)
    rates = [daily.at(second) for second in range(0, DAY_S, 60)]

    assert max(rates) == pytest.approx(peak, rel=0.01)
    assert statistics.fmean(rates) == pytest.approx(1.0, rel=0.01)
    assert min(rates) >= 0


def test_arrivals_come_at_the_rate_of_their_time_of_day() -> None:
    workload = Workload(events_per_s=2, tasks=(load(1, 0.1),), peak=3.0)

    found = list(draw_arrivals(workload, Window(seconds=DAY_S, workers=1, fleet=1)))

    noon = sum(DAY_S * 11 / 24 <= one.at_s < DAY_S * 13 / 24 for one in found)
    assert len(found) == pytest.approx(2 * DAY_S, rel=0.03)
    assert noon / 7200 == pytest.approx(6, rel=0.1)
