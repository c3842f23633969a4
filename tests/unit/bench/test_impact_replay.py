"""The replay's own arithmetic, on the invented population: it needs no log and no server."""

from __future__ import annotations

import functools

import pytest

from bench.impact.actions import Rates
from bench.impact.behaviour import BehaviourConfig, Population, draw_steps
from bench.impact.durations import Prices
from bench.impact.worlds import Replay, Setup, World
from bench.soak.watching import growth
from predictor.bundled import load_bundled
from predictor.prior import synthetic_records
from streams.cache import uses
from streams.settings import Settings

USERS = 25


@functools.cache
def steps(seed: int):
    population = Population(synthetic_records(1_500, users=60))
    behaviour = BehaviourConfig(users=USERS, rates=Rates(0.2, 0.2), past=5)
    return draw_steps(population, behaviour, seed)[0]


@functools.cache
def figures(world: World, seed: int = 1, cores: int = 2):
    setup = Setup(settings=Settings(workers=16, cpu_processes=cores), event_s=0.01, job_s=0.01, read_s=0.001)
    return Replay(world, setup, load_bundled()[0], seed).run(steps(seed)).figures(Prices())


@pytest.mark.parametrize("world", World)
def test_every_request_is_answered_in_every_world(world: World) -> None:
    found = figures(world)
    assert found["requests"] == figures(World.NO_CACHE)["requests"] > 0
    assert found["unanswered"] == 0


def test_each_world_hits_more_than_the_one_before() -> None:
    hits = [figures(world)["hit"] for world in (World.NO_CACHE, World.DEMAND, World.TRIGGERS)]
    assert hits[0] == 0 < hits[1] < hits[2]


def test_only_the_predictor_predicts() -> None:
    assert figures(World.PREDICTOR)["jobs_predicted"] > 0
    assert figures(World.TRIGGERS)["jobs_predicted"] == 0
    assert figures(World.DEMAND)["jobs_triggered"] == 0


def test_the_same_people_do_the_same_again() -> None:
    draw = steps.__wrapped__
    assert draw(1) == steps(1)
    assert figures.__wrapped__(World.PREDICTOR) == figures(World.PREDICTOR)


def test_a_core_less_is_waited_for() -> None:
    few, many = figures(World.NO_CACHE, cores=1), figures(World.NO_CACHE, cores=64)
    assert few["mean_request_s"] > many["mean_request_s"]
    assert few["cpu_s"] == pytest.approx(many["cpu_s"])


def test_growth_is_the_rise_of_the_line_through_the_samples() -> None:
    assert growth([(0.0, 10.0), (5.0, 15.0), (10.0, 20.0)]) == pytest.approx(10.0)
    assert growth([(0.0, 10.0), (5.0, 12.0), (10.0, 10.0)]) == pytest.approx(0.0)


def test_weighed_triggers_compute_less_and_hit_more_than_demand_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A day of 25 people is too short for as many answers as a fleet decides by."""
    monkeypatch.setattr(uses, "FEWEST", 5)
    weighed = figures.__wrapped__(World.WEIGHED)
    demand, always = figures(World.DEMAND), figures(World.PREDICTOR)
    assert weighed["unanswered"] == 0
    assert weighed["cpu_s"] < always["cpu_s"]
    assert demand["hit"] < weighed["hit"] <= always["hit"]
