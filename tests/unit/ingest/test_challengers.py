"""Which version challenges, and what the scorecard says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ingest_samples import START_MS
from prometheus_client import REGISTRY

from predictor.archive import ModelFacts, dump_blend
from predictor.bundled import load_bundled
from predictor.history import Action, History
from predictor.registry import Registry
from predictor.serving import ServingModel
from streams.contracts.clock import ManualClock
from streams.ingest import challengers as challengers_module
from streams.ingest import shadowing as shadowing_module
from streams.ingest.challengers import Challengers
from streams.ingest.shadowing import Shadowing

NOW_MS = START_MS


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path


def add_version(store: Path, created_at: int) -> str:
    """The shipped model under another date: a version of its own."""
    blend, meta = load_bundled()
    facts = ModelFacts(
        created_at=created_at,
        source="test",
        synthetic=True,
        first_ms=meta.first_ms,
        last_ms=meta.last_ms,
        positions=meta.positions,
        measured_on=meta.measured_on,
        metrics=meta.metrics,
    )
    return Registry(store, clock=ManualClock()).add(dump_blend(blend, facts)).version


class Beside:
    """A serving model with challengers beside it."""

    def __init__(self, store: Path | None) -> None:
        self.serving = ServingModel(store)
        self.shadowing = Shadowing()
        self.challengers = Challengers(store, self.serving, self.shadowing)

    def serve_current(self) -> None:
        newer = self.serving.prepare()
        assert newer is not None
        self.serving.swap(newer)

    @property
    def challenger(self) -> str | None:
        return self.shadowing.challenger.version if self.shadowing.challenger is not None else None

    def play(self, outcomes: int) -> None:
        """One user's actions, each predicted by both models and then scored."""
        history = History("u1")
        for number in range(outcomes):
            champions = self.serving.predict_many([history], NOW_MS)
            self.shadowing.predict([history], champions, NOW_MS)
            action = Action("view_roas" if number % 2 else "view_ctr", NOW_MS)
            self.shadowing.score("u1", action.name)
            self.shadowing.observe(history, action)
            history.append(action)


@pytest.fixture
def beside(store: Path) -> Beside:
    return Beside(store)


async def test_without_a_store_or_versions_nobody_challenges(beside: Beside) -> None:
    await beside.challengers.look()
    alone = Beside(None)
    await alone.challengers.look()
    assert (beside.challenger, alone.challenger, beside.challengers.figure) == (None, None, None)


async def test_the_newest_version_challenges_once_it_is_there(store: Path, beside: Beside) -> None:
    add_version(store, 1_000)
    second = add_version(store, 2_000)
    beside.serving.observe(History("u1"), Action("view_roas", NOW_MS))
    await beside.challengers.look()
    assert beside.challenger == second
    knows = beside.shadowing.challenger.state.windows.get("u1")  # type: ignore[union-attr]
    assert knows == beside.serving.model.state.windows.get("u1"), "it knows the users"  # type: ignore[attr-defined]


async def test_the_version_that_serves_and_older_ones_do_not_challenge(store: Path, beside: Beside) -> None:
    add_version(store, 1_000)
    Registry(store).promote(add_version(store, 2_000), reason="test")
    beside.serve_current()
    await beside.challengers.look()
    assert beside.challenger is None


async def test_a_promotion_ends_the_comparison(store: Path, beside: Beside) -> None:
    version = add_version(store, 1_000)
    await beside.challengers.look()
    beside.play(3)
    Registry(store).promote(version, reason="test")
    beside.serve_current()
    await beside.challengers.look()
    assert (beside.challenger, len(beside.shadowing.outcomes), beside.challengers.figure) == (None, 0, None)


async def test_a_broken_version_is_tried_once(
    store: Path, beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store / "versions" / add_version(store, 1_000) / "model.onnx").write_bytes(b"junk")
    tried = []
    load = Registry.load
    monkeypatch.setattr(Registry, "load", lambda self, name: tried.append(name) or load(self, name))
    await beside.challengers.look()
    await beside.challengers.look()
    assert beside.challenger is None
    assert len(tried) == 1


async def test_the_figure_compares_both_on_the_same_outcomes(
    store: Path, beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challengers_module, "COMPARED_EVERY", 20)
    version = add_version(store, 1_000)
    await beside.challengers.look()
    beside.play(25)
    await beside.challengers.look()
    figure = beside.challengers.figure
    assert figure is not None
    assert (figure.champion, figure.challenger, figure.events) == (beside.serving.version, version, 25)
    assert figure.verdict == "too_early"
    assert figure.low <= figure.gain <= figure.high
    shown = REGISTRY.get_sample_value("precompute_predictor_shadow_gain", {"bound": "gain"})
    assert shown == pytest.approx(figure.gain)


async def test_a_settled_comparison_lets_the_challenger_go(
    store: Path, beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challengers_module, "COMPARED_EVERY", 5)
    monkeypatch.setattr(shadowing_module, "MOST_OUTCOMES", 10)
    small = Beside(store)
    small.shadowing.outcomes = type(small.shadowing.outcomes)(maxlen=10)
    add_version(store, 1_000)
    await small.challengers.look()
    small.play(12)
    await small.challengers.look()
    assert small.challenger is None
    assert small.challengers.figure is not None
    await small.challengers.look()
    assert small.challenger is None, "it has had its turn"
