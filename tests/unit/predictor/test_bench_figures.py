"""The benchmark's own arithmetic: the oracle, and what a cache makes of predictions."""

from __future__ import annotations

import pytest

from bench.predictor.cache_replay import TTL_MS, Asked, replay_shared, replay_single_use
from bench.predictor.oracle import oracle_top1
from bench.predictor.report import render
from predictor.dataset import Record


def test_the_oracle_knows_the_test_but_only_the_last_action():
    log = [
        Record("u", str(s), s * 10_000 + i, a)
        for s, word in enumerate(["ab", "ab", "ac"])
        for i, a in enumerate(word)
    ]
    # LOGIN -> a three times, a -> b two of three, b -> END twice, c -> END once.
    assert oracle_top1(log, 0, 1) == pytest.approx((3 + 2 + 3) / 9)
    assert oracle_top1(log, 0, 4) >= oracle_top1(log, 0, 1)


ASKED = [
    Asked("u", 0, {1: 0.9, 2: 0.3}, 1),
    Asked("u", 1_000, {2: 0.6}, 2),
    Asked("u", 2_000, {}, 2),
    Asked("u", 2_000 + TTL_MS + 1, {}, 0),
]


def test_single_use_answers_serve_one_request():
    found = replay_single_use(ASKED, 0.5)
    assert (found.hit, found.per_request, found.unread) == pytest.approx((2 / 3, 2 / 3, 0.0))
    eager = replay_single_use(ASKED, 0.2)
    assert eager.per_request == pytest.approx(1.0 * 2 / 3)


def test_shared_answers_serve_until_their_time_and_demand_keeps_its_own():
    demand = replay_shared(ASKED, None)
    assert (demand.hit, demand.per_request) == pytest.approx((1 / 3, 0.0))
    acting = replay_shared(ASKED, 0.5)
    assert (acting.hit, acting.per_request, acting.unread) == pytest.approx((1.0, 2 / 3, 0.0))


def test_what_nobody_reads_is_waste():
    found = replay_shared([Asked("u", 0, {1: 0.9, 2: 0.9}, 1)], 0.5)
    assert found.unread == pytest.approx(0.5)


def _rendered(**more):
    times = {f"predict_p{percent}_us": float(percent) for percent in (10, 50, 99)}
    cost = {"blend": times, "ngram": times, "calibration_us": [32.0, 33.0], "train_s": 40.0}
    cost |= {"train_positions": 9, "forest_bytes": 1, "users_bytes": 1, **more}
    return render({"action_logs": {}, "process_logs": {}, "cost": cost})


def test_the_cost_is_reported_next_to_what_the_machine_does_alone():
    text = _rendered(control={"predict_p99_us": 123.0}, train_cpu_s=61.5)
    assert "| a fixed loop | - | - | 123.000 | - | - |" in text
    assert "40.0 s on two cores (61.5 s of CPU)" in text


def test_figures_measured_before_there_was_a_control_are_still_rendered():
    text = _rendered()
    assert "| a fixed loop |" not in text
    assert "40.0 s on two cores;" in text
