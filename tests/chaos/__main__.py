"""`python -m tests.chaos --jobs 100000 --seed 7 --json`: exit 0 only if the promises held."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.chaos.faults import FAULTS
from tests.chaos.run import ChaosOptions, ChaosRun

#: So many jobs between two faults.
JOBS_A_FAULT = 5_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rate", type=float, default=400.0, help="events a second")
    parser.add_argument("--faults", nargs="*", choices=sorted(FAULTS), help="all of them where none is named")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    options = ChaosOptions(
        jobs=given.jobs,
        seed=given.seed,
        rate=given.rate,
        faults=tuple(given.faults) if given.faults else None,
        fault_count=max(1, given.jobs // JOBS_A_FAULT),
        storm_rounds=20,
        settle_s=600.0,
    )
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        verdict = ChaosRun(options, Path(folder), lambda text: print(text, file=sys.stderr)).run()
    shown = msgspec.structs.asdict(verdict) | {"held": verdict.held}
    if given.json:
        print(msgspec.json.encode(shown).decode())
    else:
        for name, value in shown.items():
            print(f"{name:24} {value}")
    return 0 if verdict.held else 1


if __name__ == "__main__":
    sys.exit(main())
