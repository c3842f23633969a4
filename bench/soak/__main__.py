"""`make soak`: exits 0 only if nothing was lost and nothing grew. `SOAK_ARGS="--minutes 10 --seed 3"`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl

from bench.report import FOLDER, write_parts
from bench.soak.handler import FAILS_ONE_IN
from bench.soak.load import LOGINS, MALFORMED, RATE
from bench.soak.run import SoakRun
from bench.soak.watching import SETTLING, Sample

mpl.use("Agg")
from matplotlib import pyplot as plt

DESCRIPTION = """\
{rate:.0f} events a second, {logins} % logins that must be answered, {malformed} % malformed, the others
actions to learn from and predict by; one job in {fails} fails at its first attempt; every role is
restarted once, some by kill -9, in the first two fifths of the run. Growth is that of a straight line
through the samples (least squares), for a process over its longest life without a restart and without
that life's first {settling:.0%}; allowed is a share of the median, or what noise is not below
(`bench/soak/watching.py`).

![samples](soak.svg)"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-report", action="store_true", help="prints, and leaves docs/benchmarks alone")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        run = SoakRun(given.minutes, given.seed, Path(folder), lambda text: print(text, file=sys.stderr))
        grown = run.run()
    if not given.no_report:
        _draw(run.samples)
    write_parts(
        "soak",
        "Endurance",
        f'make soak SOAK_ARGS="--minutes {given.minutes:g}"',
        {"Lost": [run.figures], "Grown": grown},
        description=DESCRIPTION.format(
            rate=RATE, logins=LOGINS, malformed=MALFORMED, fails=FAILS_ONE_IN, settling=SETTLING
        ),
        keep=not given.no_report,
    )
    lost = [name for name in run.figures if "lost" in name or "older" in name if run.figures[name]]
    bad = lost + [row["what"] for row in grown if not row["holds"]]
    sys.stdout.write(f"failed: {', '.join(bad)}\n" if bad else "nothing was lost and nothing grew\n")
    return 1 if bad else 0


def _draw(samples: list[Sample]) -> None:
    figure, axes = plt.subplots(5, 1, figsize=(7, 11), sharex=True)
    at = [sample.at_s / 60 for sample in samples]
    for name in sorted({name for sample in samples for name in sample.memory}):
        axes[0].plot(at, [sample.memory.get(name) for sample in samples], label=name)
        axes[1].plot(at, [sample.descriptors.get(name) for sample in samples], label=name)
    axes[2].plot(at, [sample.redis_mb for sample in samples])
    axes[3].plot(at, [max(0, sample.lag) for sample in samples])
    axes[4].plot(at, [sample.latency_ms for sample in samples])
    titles = ("memory, MB", "file descriptors", "Redis, MB", "lag, records", "a read that computes, ms")
    for part, title in zip(axes, titles, strict=True):
        part.set_ylabel(title, fontsize=8)
        part.set_ylim(bottom=0)
        part.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    axes[4].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(FOLDER / "soak.svg", metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
