"""`python -m tests.guard`: measures and prints; `--write` keeps the ratios as the baseline."""

from __future__ import annotations

import argparse
import statistics
import sys

from tests.guard.measuring import measure, save
from tests.guard.workloads import WORKLOADS

#: Ratios of one commit differed by up to a third between an idle machine and one whose two cores had five
#: busy processes; twice that again for other machines.
TOLERANCE = 1.6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found = {name: [measure(make).ratio for _ in range(given.rounds)] for name, make in WORKLOADS.items()}
    for name, ratios in found.items():
        shown = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        sys.stdout.write(f"{name:12} {statistics.median(ratios):.3f} times a fixed loop ({shown})\n")
    if given.write:
        save({name: statistics.median(ratios) for name, ratios in found.items()}, TOLERANCE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
