"""Promotion by what the running processes measured side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from sample_logs import model_files, small_log
from typer.testing import CliRunner

from predictor.archive import ModelFacts, dump_blend, load_blend
from predictor.commands import build_app
from predictor.registry import Registry
from predictor.shadow import Comparison, Verdict


@pytest.fixture
def versions(tmp_path: Path) -> tuple[str, str]:
    """The version that serves, and one trained later."""
    registry = Registry(tmp_path)
    first = registry.add(model_files()).version
    blend, meta = load_blend(model_files())
    facts = {name: getattr(meta, name) for name in ModelFacts.__struct_fields__}
    facts["created_at"] = meta.created_at + 1_000
    second = registry.add(dump_blend(blend, ModelFacts(**facts))).version
    registry.promote(first, reason="the first")
    return first, second


def promote(store: Path, version: str, found: tuple[str, str, Comparison] | None, *flags: str) -> Result:
    app = build_app(lambda: list(small_log()), lambda: found)
    return CliRunner().invoke(app, ["promote", version, "--reason", "x", "--store", str(store), *flags])


def compared(verdict: Verdict) -> Comparison:
    return Comparison(
        verdict=verdict, events=9_000, gain=0.02, low=0.01, high=0.03, champion_ece=0.01, challenger_ece=0.012
    )


def test_a_challenger_that_was_better_live_is_promoted(tmp_path: Path, versions: tuple[str, str]) -> None:
    first, second = versions
    found = promote(tmp_path, second, (first, second, compared(Verdict.BETTER)), "--live")
    assert found.exit_code == 0, found.output
    assert "9000 events" in found.output
    current = Registry(tmp_path).current()
    assert current is not None
    assert current.version == second


@pytest.mark.parametrize("verdict", [Verdict.TOO_EARLY, Verdict.NO_GAIN, Verdict.CALIBRATION_REGRESSED])
def test_one_that_was_not_is_refused(tmp_path: Path, versions: tuple[str, str], verdict: Verdict) -> None:
    first, second = versions
    found = promote(tmp_path, second, (first, second, compared(verdict)), "--live")
    assert found.exit_code == 1
    assert str(verdict) in found.output


def test_a_comparison_of_others_does_not_count(tmp_path: Path, versions: tuple[str, str]) -> None:
    first, second = versions
    for pair in (None, (second, first, compared(Verdict.BETTER)), ("x", second, compared(Verdict.BETTER))):
        found = promote(tmp_path, second, pair, "--live")
        assert found.exit_code == 1
        assert "have not compared" in found.output
    assert promote(tmp_path, second, (first, second, compared(Verdict.BETTER))).exit_code == 2
