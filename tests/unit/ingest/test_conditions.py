"""Prices, budgets and load: what decides besides the probability, and the reason that is given."""

from __future__ import annotations

import msgspec
import pytest
import redis.asyncio as aioredis
from ingest_samples import GAP_MS, START_MS, FixedModel, Stream, record

from predictor.policy import WhyNot
from streams.cache.codec import encode_stored
from streams.cache.names import RedisNames
from streams.cache.presence import WorkerInfo
from streams.contracts.clock import ManualClock
from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import Group, Why
from streams.contracts.results import StoredResult
from streams.ingest.budget import WINDOW_S, GlobalBudget
from streams.ingest.conditions import ConditionsConfig
from streams.ingest.effects import Effects
from streams.ingest.freshness import FreshnessFilter
from streams.ingest.load import SMOOTHED_OVER_S, FleetLoad
from streams.ingest.state import Inputs, UserStates

NAMES = RedisNames("budget")
#: A budget of an hour that leaves so many seconds to each window.
A_WINDOW_S = 3600 / WINDOW_S


def worker(in_progress: int, *, oldest_wait_s: float = 0.0, quiet: bool = False) -> WorkerInfo:
    return WorkerInfo(
        id="w",
        slots=4,
        in_progress=in_progress,
        started_at=0.0,
        host="h",
        pid=1,
        quiet=quiet,
        oldest_wait_s=oldest_wait_s,
    )


def ask(stream: Stream, user: str) -> Effects:
    return stream.process(record("user.acted", {"action": "view_roas"}, user=user))


def predicted(effects: Effects) -> int:
    return sum(outgoing.job.why is Why.PREDICTED for outgoing in effects.jobs)


def why_not(effects: Effects) -> str | None:
    return effects.predictions[0].predictions[0].why_not


def test_the_global_budget_stops_everybody_and_says_so_until_the_next_window() -> None:
    stream = Stream(conditions=ConditionsConfig(global_budget_s=2 * A_WINDOW_S))
    assert [predicted(ask(stream, user)) for user in ("u1", "u2", "u3")] == [1, 1, 0]
    assert why_not(ask(stream, "u4")) == WhyNot.GLOBAL_BUDGET
    stream.clock.advance(WINDOW_S)
    assert predicted(ask(stream, "u5")) == 1


def test_what_is_measured_is_what_is_spent() -> None:
    stream = Stream(conditions=ConditionsConfig(global_budget_s=2 * A_WINDOW_S))
    stream.conditions.measured({"dashboard_data": 0.25})
    assert [predicted(ask(stream, f"u{n}")) for n in range(9)] == [1] * 8 + [0]


def test_held_out_jobs_cost_nothing() -> None:
    stream = Stream(holdout=0.5, conditions=ConditionsConfig(global_budget_s=100 * A_WINDOW_S))
    jobs = [outgoing.job for n in range(40) for outgoing in ask(stream, f"u{n}").jobs]
    run = sum(job.group is Group.TREATMENT for job in jobs)
    assert 0 < run < len(jobs) == 40
    assert stream.conditions.budget.left == 100 - run


def test_a_user_s_own_budget_is_named_first() -> None:
    stream = Stream(conditions=ConditionsConfig(user_budget=1))
    assert predicted(ask(stream, "u1")) == 1
    assert why_not(ask(stream, "u1")) == WhyNot.USER_BUDGET
    stream.clock.advance(3601.0)
    assert predicted(ask(stream, "u1")) == 1


async def test_what_is_fresh_already_costs_no_budget(client: aioredis.Redis) -> None:
    """Neither the user's, nor everybody's."""
    stream = Stream(conditions=ConditionsConfig(user_budget=1, global_budget_s=2 * A_WINDOW_S))
    freshness = FreshnessFilter(client, NAMES, stream.clock)
    await client.set(NAMES.result("dashboard_data:user:u1"), fresh_answer("dashboard_data:user:u1"))
    for _ in range(3):
        assert await ask_for_more(stream, freshness, "u1") == (0, WhyNot.ALREADY_FRESH)
    assert stream.conditions.budget.left == 2
    await client.delete(NAMES.result("dashboard_data:user:u1"))
    assert await ask_for_more(stream, freshness, "u1") == (1, None)
    assert await ask_for_more(stream, freshness, "u1") == (0, WhyNot.USER_BUDGET)
    assert stream.conditions.budget.left == 1


async def ask_for_more(stream: Stream, freshness: FreshnessFilter, user: str) -> tuple[int, str | None]:
    """An action through the filter, as the role does it."""
    acted = record("user.acted", {"action": "view_roas"}, user=user)
    effects = stream.processor.process([acted], UserStates(stream.users, GAP_MS), Inputs(stream.inputs))
    found = await freshness.apply(effects.speculations)
    effects.adopt(found)
    stream.anticipation.expect(found)
    return predicted(effects), why_not(effects)


def fresh_answer(key: str) -> bytes:
    return encode_stored(
        StoredResult(
            key=key,
            task=key.partition(":")[0],
            job_id="1" * 24,
            why=Why.DEMAND,
            handler_version="1",
            input_version=0,
            started_at=START_MS,
            computed_at=START_MS,
            expires_at=START_MS + 600_000,
            compute_ms=1.0,
            result=msgspec.Raw(b"1"),
        )
    )


def test_a_window_gets_back_no_more_than_was_spent_in_it() -> None:
    clock = ManualClock()
    budget = GlobalBudget(10 * A_WINDOW_S, clock)
    budget.spend(4.0)
    budget.give_back(1.0)
    assert budget.left == 7.0
    clock.advance(WINDOW_S)
    budget.give_back(3.0)
    assert budget.left == 10.0


async def test_what_the_others_were_told_of_is_given_back_to_them_too(client: aioredis.Redis) -> None:
    clock = ManualClock()
    one, two = (GlobalBudget(10 * A_WINDOW_S, clock) for _ in range(2))
    one.spend(4.0)
    await one.exchange(client, NAMES)
    one.give_back(4.0)
    await one.exchange(client, NAMES)
    await two.exchange(client, NAMES)
    assert (one.left, two.left) == (10.0, 10.0)


def test_without_a_budget_nothing_is_acted_on() -> None:
    assert why_not(ask(Stream(conditions=ConditionsConfig(global_budget_s=0.0)), "u1")) == (
        WhyNot.GLOBAL_BUDGET
    )


def test_load_makes_acting_dearer() -> None:
    stream = Stream(model=FixedModel(view_dashboard=0.7, END=0.3))
    assert predicted(ask(stream, "u1")) == 1
    stream.conditions.load.value = 0.2
    assert predicted(ask(stream, "u2")) == 0, "the penalty of the policy's defaults is 2: 0.5 x (1 + 2 x 0.2)"
    assert why_not(ask(stream, "u3")) == WhyNot.NOT_WORTH_IT


def test_a_busy_moment_is_no_load_and_busy_minutes_are() -> None:
    clock = ManualClock()
    load = FleetLoad(clock)
    load.update([worker(4)])
    clock.advance(2.0)
    load.update([worker(4)])
    assert load.value < 0.05
    for _ in range(10):
        clock.advance(SMOOTHED_OVER_S / 2)
        load.update([worker(4)])
    assert load.value > 0.9


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        ([worker(1)], 0.25),
        ([worker(1), worker(3)], 0.5),
        ([worker(1, oldest_wait_s=15.0)], 0.5),
        ([worker(1, oldest_wait_s=900.0)], 1.0),
        ([worker(0, quiet=True), worker(2)], 0.5),
        ([worker(0, quiet=True)], 0.0),
        ([], 0.0),
    ],
)
def test_load_is_the_busy_share_or_the_wait(workers: list[WorkerInfo], expected: float) -> None:
    clock = ManualClock()
    load = FleetLoad(clock)
    load.update(workers)
    clock.advance(100 * SMOOTHED_OVER_S)
    load.update(workers)
    assert load.value == pytest.approx(expected)


async def test_processes_share_the_global_budget(client: aioredis.Redis) -> None:
    clock = ManualClock()
    one, two = (GlobalBudget(10 * A_WINDOW_S, clock) for _ in range(2))
    one.spend(4.0)
    two.spend(3.0)
    assert (one.left, two.left) == (6.0, 7.0)
    await one.exchange(client, NAMES)
    await two.exchange(client, NAMES)
    assert two.left == 3.0
    assert one.left == 6.0, "it has not heard of the other yet"
    await one.exchange(client, NAMES)
    assert one.left == 3.0
    one.spend(100.0)
    assert one.left == 0.0
    clock.advance(WINDOW_S)
    await one.exchange(client, NAMES)
    assert one.left == 10.0


@pytest.mark.parametrize("wrong", [{"act_above": 1.5}, {"user_budget": -1}, {"global_budget_s": -0.1}])
def test_conditions_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        ConditionsConfig(**wrong)  # type: ignore[arg-type]
