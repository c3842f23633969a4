"""The benchmark's own arithmetic: the oracle, and what a cache makes of predictions."""

from __future__ import annotations

import pytest

from bench.predictor.cache_replay import TTL_MS, Asked, replay_shared, replay_single_use
from bench.predictor.oracle import oracle_top1
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
