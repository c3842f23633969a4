"""What a joining, a leaving and a dying worker cost the flow, and how lag goes away after a burst."""

from __future__ import annotations

import bisect
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from bench.scale.handler import WAITS_S
from bench.scale.workers import SLOTS, SteadySender, Workers
from bench.worker.running import Servers

#: Two workers have room for three times this.
STEADY = 200.0
BURST = 10.0
#: Before and between disturbances: long enough that the flow is even again.
QUIET_S = 4.0
_pause = threading.Event().wait


def rebalances(servers: Servers) -> list[dict[str, Any]]:
    """The longest time in which no job ended after each change of the group, next to an undisturbed one."""
    rows = []
    with Workers(servers.folder / "scale-rebalance", servers.kafka, servers.redis_url) as group:
        group.start("a", "b")
        group.send(SLOTS)
        group.wait_done(60)
        changes: dict[str, tuple[Callable[[], object], float]] = {
            "nothing changes": (lambda: None, QUIET_S),
            "a third worker joins": (group.start_third, 2 * QUIET_S),
            "it leaves (SIGTERM)": (group.stop_third, 2 * QUIET_S),
            "one of two is killed (kill -9)": (group.system.roles["worker:b"].kill, 20.0),
        }
        with SteadySender(group, STEADY) as sender:
            _pause(QUIET_S)
            for what, (change, watched_s) in changes.items():
                began = time.time()
                change()
                _pause(max(0.0, began + watched_s - time.time()))
                rows.append(_gap(what, group, sender, began, time.time()))
        group.wait_done(120)
    servers.flush()
    return rows


def _gap(what: str, group: Workers, sender: SteadySender, began: float, ended: float) -> dict[str, Any]:
    """Two times: nothing at all ended, and the most jobs that stood behind."""
    ends = group.ends()
    inside = [began, *(at for at in ends if began <= at <= ended), ended]
    pause = max(b - a for a, b in itertools.pairwise(inside))
    behind = max(
        (count - bisect.bisect_right(ends, at) for at, count in sender.sent if began <= at <= ended),
        default=0,
    )
    return {"what": what, "no job ended for s": round(pause, 2), "most jobs behind": behind}


def burst(servers: Servers, seconds: float) -> tuple[list[dict[str, Any]], list[tuple[float, int]]]:
    """Ten times the steady rate for so long: the row, and the jobs behind by seconds from the burst."""
    with Workers(servers.folder / "scale-burst", servers.kafka, servers.redis_url) as group:
        group.start("a", "b")
        group.send(SLOTS)
        group.wait_done(60)
        with SteadySender(group, STEADY / 2) as sender:
            _pause(QUIET_S)
            began = time.time()
            sender.rate = STEADY / 2 * BURST
            _pause(seconds)
            sender.rate = STEADY / 2
            over = time.time()
            limit = over + 6 * seconds + 30
            while time.time() < limit and len(group.ends()) < group.sent - 2 * SLOTS:
                _pause(0.5)
            _pause(QUIET_S)
        ends = group.wait_done(240)
        behind = [(at - began, count - bisect.bisect_right(ends, at)) for at, count in sender.sent]
    servers.flush()
    calm = max(count for at, count in behind if at < 0)
    back = next((at for at, count in behind if at > over - began and count <= calm), behind[-1][0])
    most = max(count for _, count in behind)
    room = 2 * SLOTS / WAITS_S - STEADY / 2
    row = {
        "burst": f"{STEADY / 2 * BURST:.0f} jobs/s for {seconds:.0f} s, then {STEADY / 2:.0f}",
        "jobs behind at most": most,
        "back to normal after s": round(back - (over - began), 1),
        "by the slots' own limit s": round(most / room, 1),
    }
    return [row], behind
