"""Real logs, honestly: better than the baselines, and not better than is possible."""

from __future__ import annotations

import math
import os

import pytest
from sample_logs import SHARED

from predictor.dataset import pool_rare, read_log
from predictor.evaluation import Split, evaluate
from predictor.metrics import Scorer

GITHUB = SHARED / "github_human_activities_first80.csv.gz"


def _require(path):
    if not path.exists():
        assert os.environ.get("CI") != "true", f"{path} is missing: CI must have the public logs"
        pytest.skip(f"the public log {path.name} is not on this machine")


def test_scores_are_what_they_are_called():
    scorer = Scorer()
    scorer.add([0.1, 0.6, 0.3], 1)
    scorer.add([0.1, 0.6, 0.3], 2)
    scorer.add([0.4, 0.4, 0.1, 0.1], 1)
    scores = scorer.scores()
    assert scores.top1 == pytest.approx(1 / 3)
    assert scores.top3 == 1.0
    assert scores.log_loss == pytest.approx(-(math.log(0.6) + math.log(0.3) + math.log(0.4)) / 3)
    assert scorer.at_threshold(0.5) == (0.5, pytest.approx(2 / 3))


def test_splits_count_every_question_once():
    assert Split.parse("70/10/20").counts(105_396) == (73_777, 10_539)


@pytest.mark.timeout(300)
def test_the_blend_beats_every_baseline_on_a_real_log_and_no_oracle():
    _require(GITHUB)
    # The oldest fifth of the users' log keeps this short; the whole log is measured by the benchmark.
    records = sorted(pool_rare(read_log(GITHUB)), key=lambda r: r.at_ms)[:20_000]
    found = evaluate(records, Split.parse("70/10/20")).as_json()
    assert found["n_test"] > 4_000
    # More than .80 on this log means that something came from the future.
    assert 0.40 < found["top1"] < 0.80
    assert found["ece"] < 0.04
    for name, baseline in found["baselines"].items():
        assert found["log_loss"] < baseline["log_loss"], name
