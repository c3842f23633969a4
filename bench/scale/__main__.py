"""`python -m bench.scale [--quick]`: more processes on one machine."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl

from bench.report import FOLDER, write_parts
from bench.scale import disturbances, speed
from bench.scale.workers import SLOTS
from bench.worker.running import PARTITIONS, Servers
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey

mpl.use("Agg")
from matplotlib import pyplot as plt

#: Processes side by side; a quick run leaves the last out.
COUNTS = (1, 2, 4)

DESCRIPTION = """\
Broker, cache, sender and every process share this machine's cores, so this shows what more processes gain
where jobs wait for others, and that they gain nothing where the cores are busy; what more machines gain
is the model of `docs/benchmarks/capacity.md`. Topics have {partitions} partitions, a worker {slots}
slots, a job waits 50 ms. A rebalance is that of the classic protocol with `range`; after a kill -9 the
group waits for the session's end (15 s by default) before it gives the dead one's partitions away: the
others' flow goes on.

![jobs behind during a burst](scale-burst.svg)"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    counts = COUNTS[:2] if quick else COUNTS
    with tempfile.TemporaryDirectory() as folder, LocalKafka() as kafka, LocalValkey() as valkey:
        servers = Servers(kafka=kafka.bootstrap_servers, redis_url=valkey.url, folder=Path(folder))
        burst, behind = disturbances.burst(servers, 8.0 if quick else 60.0)
        parts = {
            "Workers": speed.workers(servers, 1_000 if quick else 4_000, counts),
            "Streams": speed.streams(servers, 15_000 if quick else 80_000, counts),
            "Changes of the group": disturbances.rebalances(servers),
            "A burst": burst,
        }
    _draw(behind)
    write_parts(
        "scale",
        "More processes on one machine",
        "make bench BENCH_ARGS=" + ('"scale --quick"' if quick else "scale"),
        parts,
        description=DESCRIPTION.format(partitions=PARTITIONS, slots=SLOTS),
    )
    return 0


def _draw(behind: list[tuple[float, int]]) -> None:
    figure, axes = plt.subplots(figsize=(7, 3))
    axes.plot([at for at, _ in behind], [count for _, count in behind], color="#1d4ed8")
    axes.set_xlabel("seconds from the burst's start")
    axes.set_ylabel("jobs behind")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(FOLDER / "scale-burst.svg", metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
