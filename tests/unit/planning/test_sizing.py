"""Plans: what more load must cost, what a plan must hold, and what is refused."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from streams.cli.main import app
from streams.contracts.errors import ConfigurationError
from streams.planning.constants import CHILD_BYTES
from streams.planning.sizing import MOST_PARTITIONS, Assumptions, Plan, make_plan
from streams.planning.waiting import erlang_c, mean_wait_s, priority_wait_s
from streams.planning.workload import DEFAULT_TASKS, Workload, parse_tasks
from streams.work.queues import QueueConfig

RATES = st.floats(min_value=0.1, max_value=1e6)


def plan_of(events_per_s: float, tasks: str = DEFAULT_TASKS, **more: object) -> Plan:
    return make_plan(Workload(events_per_s=events_per_s, tasks=parse_tasks(tasks), **more))  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(RATES, st.floats(min_value=1.1, max_value=10))
def test_more_events_never_need_less(events_per_s: float, times: float) -> None:
    small, large = plan_of(events_per_s), plan_of(events_per_s * times)

    assert large.cells * large.partitions >= small.cells * small.partitions
    assert large.redis_bytes > small.redis_bytes
    assert large.kafka_bytes > small.kafka_bytes
    assert large.cost_per_month > small.cost_per_month
    for role in large.roles:
        assert role.replicas >= small.role(role.role).replicas


@settings(max_examples=50, deadline=None)
@given(RATES)
def test_a_plan_holds_together(events_per_s: float) -> None:
    made = plan_of(events_per_s)

    assert made.partitions % 12 == 0
    assert made.partitions <= MOST_PARTITIONS + 12
    for role in ("streams", "worker"):
        assert made.role(role).replicas <= made.cells * made.partitions
        assert made.role(role).replicas >= 2
    assert 0 <= made.busy <= Assumptions().worker_busy + 1e-9
    assert made.slots > made.children
    children = made.children + QueueConfig(slots=made.slots).reserved
    assert made.role("worker").memory_bytes >= children * CHILD_BYTES.value
    assert math.isfinite(made.child_wait_s)


def test_work_that_waits_elsewhere_takes_slots_and_no_cores() -> None:
    without, with_llm = plan_of(100, "mine=0.1@0.01"), plan_of(100, "mine=0.1@0.01+5")

    assert with_llm.role("worker").replicas == without.role("worker").replicas
    # Little's law: 100/s x 0.1 x 5 s at twice the mean are 100 jobs at once, on two workers.
    assert with_llm.slots - without.slots >= 100 / 2


def test_users_have_one_dashboard_each() -> None:
    few, many = plan_of(1000, "dashboard_data=1", users=1000), plan_of(1000, "mine=1@0.0005", users=1000)

    assert few.redis_bytes < many.redis_bytes


@pytest.mark.parametrize(
    ("tasks", "complaint"),
    [
        ("nothing_known=1", "nothing is measured"),
        ("video", "reads NAME="),
        ("video=x", "reads NAME="),
        ("video=1@y", "reads NAME="),
        ("", "names no task"),
        ("video=-1", "zero or more"),
    ],
)
def test_wrong_tasks_are_refused(tasks: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse_tasks(tasks)


@pytest.mark.parametrize("wrong", [{"peak": 0.5}, {"peak": 4.0}, {"users": 0}, {"reads_per_s": -1.0}])
def test_wrong_workloads_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        plan_of(1, **wrong)


def test_the_formulas_agree_with_their_tables() -> None:
    # One server: M/M/1 waits with probability rho, M/D/1 half as long as M/M/1.
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert mean_wait_s(1, 7, 0.1, 1.0) == pytest.approx(0.7 * 0.1 / 0.3)
    assert mean_wait_s(1, 7, 0.1, 0.0) == pytest.approx(0.7 * 0.1 / 0.3 / 2)
    # Erlang's own table: 10 servers, 7 erlang.
    assert erlang_c(10, 7.0) == pytest.approx(0.2217, abs=1e-3)
    assert mean_wait_s(2, 30, 0.1, 1.0) == math.inf
    # One class alone waits as without priorities.
    assert priority_wait_s([(7, 0.1)], 0, 1.0) == pytest.approx(mean_wait_s(1, 7, 0.1, 1.0))


def test_the_command_prints_what_was_planned() -> None:
    arguments = ["plan", "--events-per-s", "1000", "--simulate", "20", "--assume", "children=8", "--json"]

    result = CliRunner().invoke(app, arguments, catch_exceptions=False)

    printed = json.loads(result.stdout)
    assert result.exit_code == 0
    assert printed["children"] == 8
    assert printed["assumed"]["children"] == 8
    assert printed["simulated"]["jobs"] > 0
    assert set(msgspec.json.decode(result.stdout)) >= {"partitions", "roles", "redis_bytes", "kafka_bytes"}


def test_the_command_prints_tables_for_people() -> None:
    result = CliRunner().invoke(app, ["plan", "--events-per-s", "1000", "--simulate", "20"])

    assert result.exit_code == 0
    for word in ("REPLICAS", "partitions of a topic", "cost a month", "WAIT P99"):
        assert word in result.stdout


def test_an_unknown_assumption_is_named() -> None:
    result = CliRunner().invoke(app, ["plan", "--events-per-s", "1", "--assume", "luck=1"])

    assert isinstance(result.exception, ConfigurationError)
    assert "there are streams_busy" in str(result.exception)
