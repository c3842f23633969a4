"""All worlds over several seeds, and means with their intervals."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.impact.account import Account
from bench.impact.actions import rates, translate
from bench.impact.behaviour import BehaviourConfig, Population, draw_steps
from bench.impact.durations import Prices
from bench.impact.model import for_replay, trained
from bench.impact.worlds import CORES, SLOTS, Replay, Setup, World
from bench.predictor.logs import SHARED
from bench.published import figure
from predictor.bundled import load_bundled
from predictor.dataset import read_log
from streams.settings import Settings

LOG = SHARED / "github_human_activities_first80.csv.gz"
PRICES = Prices()
#: Two-sided 95 % quantiles of Student's t by degrees of freedom.
_T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}

Figures = Mapping[str, float]


class Stage:
    """What every replay shares: the log, its people, the trained model, the measured overheads."""

    def __init__(self, users: int, trained_on: float = 1.0) -> None:
        records = translate(read_log(LOG))
        self.population = Population(records)
        self.files = trained(records, trained_on)
        self.behaviour = BehaviourConfig(users=users, rates=rates())
        self.setup = Setup(
            settings=Settings(workers=SLOTS, cpu_processes=CORES),
            event_s=figure("line", "p50_ms", what="event published to six jobs in Kafka, idle") / 1000,
            job_s=figure("line", "p50_ms", what="no-op job sent to answer readable, idle") / 1000,
            read_s=figure("read", "p50 ms", what="a hit, at 500 requests a second") / 1000,
        )

    def replay(
        self,
        world: World,
        seed: int,
        *,
        setup: Setup | None = None,
        behaviour: BehaviourConfig | None = None,
        shipped: bool = False,
    ) -> Account:
        steps, origins = _steps(self.population, behaviour or self.behaviour, seed)
        model = load_bundled()[0] if shipped else for_replay(self.files, origins)
        return Replay(world, setup or self.setup, model, seed).run(steps)


@functools.lru_cache(maxsize=4)
def _steps(population: Population, behaviour: BehaviourConfig, seed: int) -> Any:
    return draw_steps(population, behaviour, seed)


def figures_of(stage: Stage, run: tuple[int, World]) -> Figures:
    """Those of one replay, by its seed and its world."""
    seed, world = run
    return stage.replay(world, seed).figures(PRICES)


def mean(runs: Sequence[Figures], name: str) -> float:
    return statistics.fmean(run[name] for run in runs)


def half_width(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean, by Student's t; NaN for a single value."""
    if len(values) < 2:
        return math.nan
    return _T95[min(9, len(values) - 1)] * statistics.stdev(values) / math.sqrt(len(values))


def with_interval(values: Sequence[float], digits: int = 2) -> str:
    spread = half_width(values)
    shown = f"{statistics.fmean(values):.{digits}f}"
    return shown if math.isnan(spread) else f"{shown} ± {spread:.{digits}f}"
