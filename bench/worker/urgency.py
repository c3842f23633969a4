"""How long an urgent job takes while a backlog of lower ones waits: ten-millisecond jobs, eight at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench.report import percentile
from bench.worker.catalogue import CELERY, DRAMATIQ, FIFO, Peer
from bench.worker.ours import OurWorker
from bench.worker.running import Measurement, PeerWorker, Servers

SLOTS = 8
#: Between urgent jobs: ten a second are few, next to the eight hundred that the slots can do.
PAUSE_S = 0.1
#: Jobs of the backlog that end before the first urgent one is sent: the worker is at work then.
UNDER_WAY = 100
#: An idle worker is warm after so many; they are not counted.
FIRST = 10
#: Joining the group or connecting, before an idle worker is asked for anything.
JOIN_S = 5.0

Latencies = tuple[list[float], bool]


def measure(servers: Servers, backlog: int, urgent: int) -> list[dict[str, Any]]:
    systems: dict[str, Callable[[int], Latencies]] = {
        "ours": lambda waiting: _ours(servers, waiting, urgent),
        f"Celery {CELERY.version()}, Redis priorities": lambda waiting: _redis_peer(
            servers, CELERY, waiting, urgent
        ),
        f"Dramatiq {DRAMATIQ.version()}, queues": lambda waiting: _redis_peer(
            servers, DRAMATIQ, waiting, urgent
        ),
        FIFO.title: lambda waiting: _fifo(servers, waiting, urgent),
    }
    rows = []
    for name, run in systems.items():
        row: dict[str, Any] = {"system": name}
        try:
            idle, _ = run(0)
            busy, held = run(backlog)
            row |= _row(idle, busy)
            if not held and name != FIFO.title:
                row["problem"] = "the backlog ended before the last urgent job"
        except Exception as exc:  # noqa: BLE001 (whatever it is, the others are still measured)
            row["problem"] = str(exc).replace("\n", " ")[:300]
        sys.stdout.write(f"urgent jobs: {name}: {row.get('problem', 'measured')}\n")
        sys.stdout.flush()
        rows.append(row)
    return rows


def measure_consumers(servers: Servers, backlog: int, urgent: int) -> list[dict[str, Any]]:
    """Our worker as it is, with one consumer and wide marks, next to one with two consumers."""
    rows = []
    for name, modules in (("one consumer", ()), ("two consumers", ("bench.worker.divided",))):
        idle, _ = _ours(servers, 0, urgent, modules)
        busy, held = _ours(servers, backlog, urgent, modules)
        rows.append({"worker with": name, **_row(idle, busy)})
        if not held:
            rows[-1]["problem"] = "the backlog ended before the last urgent job"
        sys.stdout.write(f"urgent jobs: {name}: measured\n")
    return rows


def _row(idle: Sequence[float], busy: Sequence[float]) -> dict[str, Any]:
    figures = {
        "idle p50 ms": percentile(idle, 0.5),
        "idle p99 ms": percentile(idle, 0.99),
        "backlog p50 ms": percentile(busy, 0.5),
        "backlog p99 ms": percentile(busy, 0.99),
        "urgent jobs": len(busy),
    }
    return {
        **{name: round(value, 1) for name, value in figures.items()},
        "p50, times idle": round(figures["backlog p50 ms"] / figures["idle p50 ms"], 2),
        "p99, times idle": round(figures["backlog p99 ms"] / figures["idle p99 ms"], 2),
    }


def _measurement(servers: Servers, name: str, backlog: int) -> Measurement:
    return Measurement(servers, f"urgent-{name}", mark=UNDER_WAY, jobs=max(1, backlog - UNDER_WAY))


def _latencies(
    measurement: Measurement,
    urgent: int,
    backlog: int,
    alive: Callable[[], None],
    send: Callable[[int], None],
) -> Latencies:
    """The urgent jobs' milliseconds, and whether the backlog was still there when the last one ended."""
    if backlog:
        measurement.wait_warm(alive)
    else:
        threading.Event().wait(JOIN_S)
    send(FIRST + urgent)
    found = measurement.latencies(FIRST + urgent, alive, within_s=120 + backlog / 200)
    return found[FIRST:], not measurement.is_done()


def _lower(number: int) -> int:
    """Every level from 1 to 8 has its part of the backlog."""
    return 1 + number % 8


def _ours(servers: Servers, backlog: int, urgent: int, modules: Sequence[str] = ()) -> Latencies:
    measurement = _measurement(servers, "ours", backlog)
    with OurWorker(measurement, slots=SLOTS, modules=modules) as worker:
        worker.send("nap", backlog, _lower)
        worker.start()
        return _latencies(
            measurement, urgent, backlog, worker.alive, lambda count: worker.send_urgent(count, PAUSE_S)
        )


def _redis_peer(servers: Servers, peer: Peer, backlog: int, urgent: int) -> Latencies:
    """A peer whose own client sends both kinds."""
    measurement = _measurement(servers, peer.name, backlog)
    with PeerWorker(peer, measurement) as worker:
        if backlog:
            worker.tell("naps", backlog)
        worker.start(str(SLOTS))
        return _latencies(
            measurement, urgent, backlog, worker.alive, lambda count: worker.tell("urgent", count, PAUSE_S)
        )


def _fifo(servers: Servers, backlog: int, urgent: int) -> Latencies:
    measurement = _measurement(servers, "fifo", backlog)

    def send(count: int) -> None:
        for _ in range(count):
            worker.produce([{"sent": time.time()}])
            time.sleep(PAUSE_S)

    with PeerWorker(FIFO, measurement) as worker:
        worker.produce({"sent": 0} for _ in range(backlog))
        worker.start(str(SLOTS))
        return _latencies(measurement, urgent, backlog, worker.alive, send)
