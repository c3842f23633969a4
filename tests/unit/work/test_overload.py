"""What overload sheds, in which order, and what it never touches."""

from __future__ import annotations

import pytest
from work_samples import job

from streams.contracts.jobs import PRIORITIES, Why
from streams.contracts.topics import TopicNames
from streams.settings import Settings
from streams.work.overload import OverloadConfig, OverloadGuard, waiting

NONE = dict.fromkeys(PRIORITIES, 0)


@pytest.fixture
def guard() -> OverloadGuard:
    return OverloadGuard(OverloadConfig(age_s=30.0, depth=100))


def aged(seconds: float, priority: int = 8) -> dict[int, float]:
    return {**dict.fromkeys(PRIORITIES, 0.0), priority: seconds}


def shed(guard: OverloadGuard) -> set[Why]:
    return {why for why in Why if guard.sheds(job(5, why=why))}


def test_predictions_go_first_then_refreshes(guard: OverloadGuard) -> None:
    guard.update(aged(29), NONE)
    assert shed(guard) == set()
    guard.update(aged(30), NONE)
    assert shed(guard) == {Why.PREDICTED}
    guard.update(aged(60), NONE)
    assert shed(guard) == {Why.PREDICTED, Why.REFRESH}


def test_it_ends_at_half_and_not_before(guard: OverloadGuard) -> None:
    guard.update(aged(70), NONE)
    guard.update(aged(20), NONE)
    assert shed(guard) == {Why.PREDICTED, Why.REFRESH}
    guard.update(aged(14), NONE)
    assert shed(guard) == set()


def test_old_speculation_is_no_overload(guard: OverloadGuard) -> None:
    guard.update(aged(10_000, priority=2), NONE)
    assert shed(guard) == set()


def test_depth_alone_sheds_predictions_only(guard: OverloadGuard) -> None:
    guard.update(aged(0), {**NONE, 5: 100})
    assert shed(guard) == {Why.PREDICTED}


def test_what_waits_in_kafka_counts_since_a_queue_is_paused_long_before(guard: OverloadGuard) -> None:
    settings = Settings()
    assert settings.shed_depth > settings.queue_high, "a queue alone would never reach it"
    depths, topics = {**NONE, 5: 20}, TopicNames()
    for lag, expected in ((79, set()), (80, {Why.PREDICTED}), (30, {Why.PREDICTED}), (29, set())):
        guard.update(aged(0), waiting(depths, {topics.jobs(5): lag, topics.jobs(6): 2}, topics))
        assert shed(guard) == expected


@pytest.mark.parametrize("priority", [9, 10])
def test_what_somebody_asked_for_is_never_shed(guard: OverloadGuard, priority: int) -> None:
    """An operator's retry is a refresh by name."""
    guard.update(aged(600), NONE)
    assert not any(guard.sheds(job(priority, why=why)) for why in Why)
