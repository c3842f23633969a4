"""The short form of the chaos suite; `make chaos` is the long one."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS, schedule
from tests.chaos.probe import CLOCK
from tests.chaos.run import ChaosOptions, ChaosRun

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.redis]


def test_schedule_is_replayable_and_fair() -> None:
    first = schedule(7, list(FAULTS), 30)
    assert first == schedule(7, list(FAULTS), 30)
    assert first != schedule(8, list(FAULTS), 30)
    assert set(first[: len(FAULTS)]) == set(FAULTS)


def test_the_probe_steps_the_clock_of_its_process(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_bytes(struct.pack("d", 500.0))
    look = (
        "import struct, sys, time, tests.chaos.probe;"
        "from streams.contracts.clock import SYSTEM_CLOCK as clock;"
        "print(round(clock.now() - time.time()));"
        f"open({str(clock)!r}, 'r+b').write(struct.pack('d', -60.0));"
        "print(round(clock.now() - time.time()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", look],
        env={**os.environ, CLOCK: str(clock)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["500", "-60"]


@pytest.mark.timeout(420)
@pytest.mark.parametrize(
    ("seed", "faults"),
    [
        (1, ("kill_worker", "kill_streams", "restart_redis", "kill_broker")),
        (2, ("wipe_redis", "slow_redis", "fill_redis", "restart_worker")),
        (3, ("poison_jobs", "step_clock", "poison_jobs")),
    ],
)
def test_nothing_is_lost(seed: int, faults: tuple[str, ...], tmp_path: Path) -> None:
    options = ChaosOptions(jobs=4_000, seed=seed, faults=faults, fault_count=len(faults), storm_rounds=3)
    verdict = ChaosRun(options, tmp_path, print).run()

    assert verdict.published == 4_000
    assert (verdict.lost, verdict.stale_overwrites, verdict.never_came_back) == (0, 0, 0), verdict
    # Jobs in hand at each kill may run again: at most the slots of every killed worker.
    assert verdict.duplicate_computations <= 200, verdict
    assert verdict.completed == verdict.published
    assert verdict.buried == verdict.poison
