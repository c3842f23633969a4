"""Nothing on the way of an event, a job or a read has become much dearer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.guard.measuring import load, measure
from tests.guard.workloads import WORKLOADS

#: A ratio above the bound is measured again: a neighbour's burst passes, a slower program stays.
TRIES = 3


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_unit_costs_about_what_it_cost(name: str) -> None:
    baseline = load()
    bound = baseline.ratios[name] * baseline.tolerance
    seen = []
    for _ in range(TRIES):
        seen.append(measure(WORKLOADS[name]).ratio)
        if seen[-1] <= bound:
            return
    pytest.fail(
        f"{name}: {min(seen):.3f} times the fixed loop, {baseline.ratios[name]:.3f} when it was written down "
        f"(at most {bound:.3f}). If the change is worth it, run python -m tests.guard --write and say why"
    )


def test_the_guard_notices_three_times_the_work() -> None:
    baseline = load()
    assert baseline.tolerance < 2

    def thrice() -> Callable[[], int]:
        run = WORKLOADS["read"]()

        def all_three() -> int:
            run()
            run()
            return run()

        return all_three

    assert measure(thrice).ratio > baseline.ratios["read"] * baseline.tolerance


def test_every_workload_has_a_baseline() -> None:
    assert set(load().ratios) == set(WORKLOADS)
