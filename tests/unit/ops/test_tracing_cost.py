"""What tracing costs while it is off, next to what a job costs; both in times of a fixed loop."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from bench.report import calibration_us
from streams.ops.tracing import TRACING, context_of
from streams.planning.constants import JOB_CPU_S

BENCHMARK = Path(__file__).resolve().parents[3] / "docs" / "benchmarks" / "line.json"
TIMES = 20_000
#: Of a no-op job's CPU time.
MOST = 0.03
#: A binary CloudEvent's, without a trace.
HEADERS = [
    (name, b"x") for name in ("ce_specversion", "ce_type", "ce_source", "ce_id", "ce_time", "content-type")
]
_NO_STEP = contextlib.nullcontext()


def off_path() -> None:
    """What an event and its job go through, from the event's headers to the answer."""
    context = context_of(None, HEADERS)
    _ = TRACING.emit if TRACING.on else list(context) or None
    if TRACING.on:
        raise AssertionError("another test left it on")
    with TRACING.step("a") if TRACING.on else _NO_STEP:
        pass
    with TRACING.step("b") if TRACING.on else _NO_STEP:
        pass
    _ = TRACING.current() if TRACING.on else None


def cost_us(work: Callable[[], None]) -> float:
    """The least of several measurements: what others do on the machine only adds."""
    found = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(TIMES):
            work()
        found.append((time.process_time() - began) / TIMES * 1e6)
    return min(found)


def test_a_job_pays_next_to_nothing_while_it_is_off() -> None:
    measured = json.loads(BENCHMARK.read_text())["machine"]["calibration_us"]
    job_in_loops = JOB_CPU_S.value * 1e6 / measured

    off_in_loops = cost_us(off_path) / calibration_us()

    assert off_in_loops < MOST * job_in_loops
