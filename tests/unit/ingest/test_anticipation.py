"""What is learned from each action, by the model that serves and by the one that may replace it."""

from __future__ import annotations

import pytest
from ingest_samples import START_MS, FixedModel, Stream, record
from prometheus_client import REGISTRY

from predictor.history import LOGIN
from streams.ingest import shadowing as shadowing_module
from streams.ingest.drift import DriftWatch
from streams.ingest.shadowing import MOST_OUTCOMES


def acted(name: str, user: str = "u1") -> object:
    return record("user.acted", {"action": name}, user=user)


def wanted() -> float | None:
    return REGISTRY.get_sample_value("precompute_predictor_training_wanted")


def test_a_switched_off_predictor_learns_and_predicts_nothing() -> None:
    stream = Stream(predicts=False)
    effects = stream.process(record("user.logged_in"), acted("view_roas"))
    assert [outgoing.job.task for outgoing in effects.jobs] == ["dashboard_data"]
    assert (stream.model.observed, effects.predictions) == ([], [])
    assert stream.names() == [LOGIN, "view_roas"], "the history is kept all the same"


def test_a_rise_of_the_log_loss_asks_for_training_until_another_model_serves() -> None:
    stream = Stream()
    drift = DriftWatch(stream.clock)
    for _ in range(400):
        drift.add("v1", 0.5)
    assert (drift.drifts, drift.training_wanted_since) == (0, None)
    for _ in range(400):
        drift.add("v1", 2.5)
    assert drift.drifts >= 1
    assert (drift.training_wanted_since, wanted()) == (START_MS, 1.0)
    drift.add("v2", 2.5)
    assert (drift.drifts, drift.training_wanted_since, wanted()) == (0, None, 0.0)


def test_a_fall_of_the_log_loss_asks_for_nothing() -> None:
    drift = DriftWatch(Stream().clock)
    for loss in [2.5] * 400 + [0.5] * 400:
        drift.add("v1", loss)
    assert drift.drifts >= 1
    assert drift.training_wanted_since is None


def test_users_that_change_are_noticed_in_the_stream() -> None:
    stream = Stream(model=FixedModel(view_roas=0.98, view_ctr=0.01, END=0.01))
    for _ in range(300):
        stream.process(acted("view_roas"))
    for _ in range(300):
        stream.process(acted("view_ctr"))
    assert stream.scores.drift.training_wanted_since is not None


def test_a_challenger_is_scored_on_what_the_champion_is_scored_on() -> None:
    stream = Stream(model=FixedModel(view_roas=0.6, END=0.4))
    challenger = FixedModel(view_roas=0.9, END=0.1)
    stream.process(acted("view_roas"))
    stream.shadowing.challenge(challenger)  # type: ignore[arg-type]
    stream.process(acted("view_roas"))
    assert not stream.shadowing.outcomes, "what was predicted before the challenge has no rival"
    stream.process(acted("view_roas"))
    ((champion, other, outcome),) = stream.shadowing.outcomes
    assert (champion.probability_of("view_roas"), other.probability_of("view_roas"), outcome) == (
        0.6,
        0.9,
        "view_roas",
    )
    assert challenger.observed == ["view_roas", "view_roas"]


def test_nobody_acts_on_what_a_challenger_says() -> None:
    stream = Stream(model=FixedModel(END=0.9, view_dashboard=0.1))
    stream.shadowing.challenge(FixedModel(view_dashboard=1.0))  # type: ignore[arg-type]
    effects = stream.process(acted("view_roas"))
    assert not effects.jobs
    assert effects.predictions[0].predictions[0].action == "END"


def test_a_comparison_is_bounded_and_survives_its_challenger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadowing_module, "MOST_OPEN", 2)
    stream = Stream(model=FixedModel(view_roas=0.6, END=0.4))
    shadowing = stream.shadowing
    shadowing.challenge(FixedModel(view_roas=0.9, END=0.1))  # type: ignore[arg-type]
    for _ in range(2):
        stream.process(*(acted("view_roas", user) for user in ("u1", "u2", "u3")))
    assert len(shadowing.outcomes) == 2, "the first user's pair had to go"
    assert (shadowing.outcomes.maxlen, shadowing.is_settled) == (MOST_OUTCOMES, False)
    shadowing.rest()
    stream.process(acted("view_roas", "u3"))
    assert len(shadowing.outcomes) == 2
