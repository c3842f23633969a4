"""Jobs as they come: a Poisson process whose rate goes up and down over the day, drawn from a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.topics import DAY_S
from streams.planning.constants import SERVICE_CV
from streams.planning.workload import TaskLoad, Workload

#: Points of the day at which its mean is taken, and halvings of the search for the amplitude.
_POINTS, _HALVINGS = 1440, 50


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A job that reaches worker `worker` at `at_s`; the seconds are what it will take there."""

    at_s: float
    worker: int
    task: str
    priority: int
    cpu_s: float
    wait_s: float = 0.0
    in_child: bool = True
    predicted: bool = False


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn: `seconds` around the middle of the peak, for `workers` of a fleet of `fleet`.

    Keys are spread by their hash, so that each worker sees its share of every rate and none of the others.
    """

    seconds: float
    workers: int
    fleet: int
    seed: int = 1
    cv: float = SERVICE_CV

    def __post_init__(self) -> None:
        if self.seconds <= 0 or not 1 <= self.workers <= self.fleet or self.cv < 0:
            raise ConfigurationError("seconds above zero, workers 1 to those of the fleet, cv zero or more")


class DailyRate:
    """Rate over the mean at a time of day: a cosine, cut off at zero, whose top is `peak` at noon."""

    def __init__(self, peak: float) -> None:
        low, high = 0.0, 1e6
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if (1 + middle) / _mean(middle) < peak else (low, middle)
        self._amplitude = low
        self._mean = _mean(low)

    def at(self, second: float) -> float:
        return _wave(self._amplitude, second / DAY_S) / self._mean


def _wave(amplitude: float, day: float) -> float:
    return max(0.0, 1 - amplitude * math.cos(2 * math.pi * day))


def _mean(amplitude: float) -> float:
    return sum(_wave(amplitude, point / _POINTS) for point in range(_POINTS)) / _POINTS


def draw_arrivals(workload: Workload, window: Window) -> Iterator[Arrival]:
    """The arrivals in order; `at_s` counts from the window's beginning."""
    draw = random.Random(window.seed)  # noqa: S311 (a simulation wants the same numbers each time)
    daily = DailyRate(workload.peak)
    begin = (DAY_S - window.seconds) / 2
    weights = [workload.jobs_per_s(load) for load in workload.tasks]
    highest = sum(weights) * workload.peak * window.workers / window.fleet
    at = 0.0
    while (at := at + draw.expovariate(highest)) < window.seconds:
        # Thinning (Lewis and Shedler, 1979): of the arrivals of the highest rate, the share of now's.
        if draw.random() * workload.peak <= daily.at(begin + at):
            load = draw.choices(workload.tasks, weights)[0]
            yield _arrival(load, at, draw, window)


def _arrival(load: TaskLoad, at_s: float, draw: random.Random, window: Window) -> Arrival:
    stretch = _draw_stretch(draw, window.cv)
    return Arrival(
        at_s=at_s,
        worker=draw.randrange(window.workers),
        task=load.task,
        priority=load.priority,
        cpu_s=load.cpu_s * stretch,
        wait_s=load.wait_s * stretch,
        in_child=load.in_child,
        predicted=load.predicted,
    )


def _draw_stretch(draw: random.Random, cv: float) -> float:
    """Log-normal with mean 1 and that coefficient of variation."""
    variance = math.log1p(cv * cv)
    return draw.lognormvariate(-variance / 2, math.sqrt(variance))
