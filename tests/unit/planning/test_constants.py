"""The constants that sizing stands on are those of the benchmarks, read anew here."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.contracts.errors import ConfigurationError
from streams.contracts.tasks import PrecomputeTaskType
from streams.planning.constants import HANDLER_CPU_S, Measured, all_measured

BENCHMARKS = Path(__file__).resolve().parents[3] / "docs" / "benchmarks"


@pytest.mark.parametrize("name", all_measured())
def test_a_constant_is_what_its_benchmark_says(name: str) -> None:
    constant = all_measured()[name]

    measured = constant.read(BENCHMARKS)

    assert 1 / constant.factor <= constant.value / measured <= constant.factor, (
        f"{name} is {constant.value:g} {constant.unit}; {constant.file} says {measured:g}: take that over"
    )


def test_every_built_in_task_has_a_cost() -> None:
    assert set(HANDLER_CPU_S) == set(PrecomputeTaskType)


def test_a_benchmark_without_the_figure_says_so() -> None:
    gone = Measured(value=1.0, unit="s", file="line.json", steps=("rows", {"what": "nothing"}, "cpu_us"))

    with pytest.raises(ConfigurationError, match=r"line\.json has no"):
        gone.read(BENCHMARKS)
