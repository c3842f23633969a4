"""Counts a worker's jobs from inside its process, for every peer alike; needs only the standard library.

The environment says what to count: `BENCH_MARK` warm-up jobs, then `BENCH_JOBS` measured ones, and the file
`BENCH_REPORT` for the figures. CPU is the process's own, of all its threads; it is read a moment after the
last job, so that acknowledgements and results still on their way are counted.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from pathlib import Path

MARK = int(os.environ.get("BENCH_MARK", "0"))
JOBS = int(os.environ.get("BENCH_JOBS", "0"))
REPORT = Path(os.environ.get("BENCH_REPORT", "tally.json"))
#: What is still on its way after the last job; an idle worker costs next to nothing meanwhile.
SETTLE_S = 0.1

_numbers = itertools.count(1)
_at: dict[str, float] = {}
_writing = threading.Lock()


def hit(jobs: int = 1) -> None:
    """One job, or so many, are done."""
    for _ in range(jobs):
        number = next(_numbers)
        if number == MARK:
            _at.update(cpu=time.process_time(), rss=rss_mb())
            write(REPORT.with_suffix(".warm"), "")
        elif number == MARK + 1:
            _at["began"] = time.perf_counter()
        elif number == MARK + JOBS:
            _at["ended"] = time.perf_counter()
            threading.Timer(SETTLE_S, _report).start()


def late(sent: float) -> None:
    """An urgent job, sent at that second of the epoch, is done."""
    line = f"{(time.time() - sent) * 1000:.3f}\n"
    with _writing, REPORT.with_suffix(".late").open("a") as file:
        file.write(line)


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _report() -> None:
    figures = {
        "cpu_s": time.process_time() - _at["cpu"],
        "wall_s": _at["ended"] - _at["began"],
        "rss_at_mark_mb": _at["rss"],
        "rss_mb": rss_mb(),
    }
    write(REPORT, json.dumps(figures))


def write(path: Path, text: str) -> None:
    """In one step, so that nobody reads half of it."""
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text)
    part.rename(path)
