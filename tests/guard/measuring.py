"""CPU of a unit of work as a ratio to a fixed loop's, taken in turns: other machines get about the same."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

BASELINE = Path(__file__).with_name("baseline.json")
#: Samples of a workload; their median is not moved by a few that met another process's cache misses.
SAMPLES = 9
#: A sample repeats its workload for at least so long: the clock of a process ticks finely, not infinitely.
SAMPLE_S = 0.03
_LOOPS = 60_000


class Measured(msgspec.Struct, frozen=True):
    """`ratio`: CPU of a unit by CPU of one pass of the fixed loop; `spread` is that of the samples."""

    ratio: float
    us: float
    spread: tuple[float, float]


class Baseline(msgspec.Struct, frozen=True):
    """`tolerance`: how many times its ratio a workload may take before it counts as slower."""

    tolerance: float
    ratios: dict[str, float]


def loop_us() -> float:
    """CPU microseconds of one pass of the fixed loop of `bench/report.py`, which is of 1,000 turns."""
    began = time.process_time()
    total = 0
    for n in range(_LOOPS):
        total += n % 7
    return (time.process_time() - began) * 1e6 / (_LOOPS / 1000)


def measure(make: Callable[[], Callable[[], int]]) -> Measured:
    run = make()
    run()
    gc.collect()
    ratios, times = [], []
    for _ in range(SAMPLES):
        before = loop_us()
        us = _sample_us(run)
        ratios.append(us / ((before + loop_us()) / 2))
        times.append(us)
    return Measured(statistics.median(ratios), statistics.median(times), (min(ratios), max(ratios)))


def _sample_us(run: Callable[[], int]) -> float:
    units, began = 0, time.process_time()
    while (spent := time.process_time() - began) < SAMPLE_S:
        units += run()
    return spent / units * 1e6


def load() -> Baseline:
    return msgspec.json.decode(BASELINE.read_bytes(), type=Baseline)


def save(ratios: dict[str, float], tolerance: float) -> None:
    document = {"tolerance": tolerance, "ratios": {name: round(ratio, 4) for name, ratio in ratios.items()}}
    BASELINE.write_text(json.dumps(document, indent=2) + "\n")
