"""How long the lowest jobs wait while higher ones keep all slots busy; strict priority would starve them."""

from __future__ import annotations

import sys
import time
from typing import Any

from bench.worker.ours import OurWorker
from bench.worker.running import Measurement, Servers
from bench.worker.urgency import SLOTS, UNDER_WAY
from streams.work.queues import default_deadlines

LOWEST = 1
JOB_S = 0.01
#: The backlog lasts longer than the measurement by so much.
MARGIN = 1.3
#: Joining the group, and the last job's way.
AROUND_S = 15.0


def measure(servers: Servers, starts: int) -> list[dict[str, Any]]:
    """The longest time without a start of the lowest level while it has jobs, over so many starts."""
    deadline_s = default_deadlines()[LOWEST]
    backlog = round((starts * deadline_s + AROUND_S) * SLOTS / JOB_S * MARGIN)
    measurement = Measurement(servers, "lowest", mark=UNDER_WAY, jobs=backlog - UNDER_WAY)
    row: dict[str, Any] = {"system": "ours", "starts": starts, "deadline s": deadline_s}
    try:
        waits_s, held = _waits(measurement, backlog, starts, deadline_s)
        longest = max(now - before for before, now in zip([0.0, *waits_s], waits_s, strict=False))
        row["longest wait of the oldest s"] = round(longest, 2)
        row["beyond the deadline ms"] = round((longest - deadline_s) * 1000)
        if not held:
            row["problem"] = "the backlog ended before the last of them"
    except Exception as exc:  # noqa: BLE001 (whatever it is, the other parts are still measured)
        row["problem"] = str(exc).replace("\n", " ")[:300]
    sys.stdout.write(f"lowest jobs: ours: {row.get('problem', 'measured')}\n")
    return [row]


def _waits(
    measurement: Measurement, backlog: int, starts: int, deadline_s: float
) -> tuple[list[float], bool]:
    """Seconds from the sending of all to the end of each, and whether the backlog was still there."""
    with OurWorker(measurement, slots=SLOTS) as worker:
        worker.send("nap", backlog, _higher)
        worker.start()
        measurement.wait_warm(worker.alive)
        worker.send("nap", starts, lambda _: LOWEST, b'{"sent":%r}' % time.time())
        within_s = starts * deadline_s * 2 + AROUND_S
        found = measurement.latencies(starts, worker.alive, within_s=within_s)
        return sorted(ms / 1000 for ms in found), not measurement.is_done()


def _higher(number: int) -> int:
    """Every level from 2 to 8 has its part of the backlog."""
    return 2 + number % 7
