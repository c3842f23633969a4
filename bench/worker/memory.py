"""Whether the worker's memory grows with the jobs it has done."""

from __future__ import annotations

import sys
from typing import Any

from bench.worker.ours import OurWorker
from bench.worker.running import Measurement, Servers
from bench.worker.throughput import SLOTS


def measure(servers: Servers, jobs: int) -> list[dict[str, Any]]:
    """RSS after the first tenth of the jobs and after all of them, of one process."""
    first = jobs // 10
    measurement = Measurement(servers, "memory", mark=first, jobs=jobs - first)
    with OurWorker(measurement, slots=SLOTS) as worker:
        worker.start()
        worker.send("counted", jobs)
        figures = measurement.figures(worker.alive, within_s=60 + jobs / 500)
    before, after = figures["rss_at_mark_mb"], figures["rss_mb"]
    sys.stdout.write("memory: measured\n")
    return [
        {
            "system": "ours",
            "jobs": jobs,
            f"rss MB after {first:,}": round(before, 1),
            "rss MB at the end": round(after, 1),
            "growth %": round((after / before - 1) * 100, 1),
            "jobs/s": round((jobs - first) / figures["wall_s"]),
            "cpu us/job": round(figures["cpu_s"] / (jobs - first) * 1e6, 1),
        }
    ]
