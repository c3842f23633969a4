"""Jobs that do nothing: CPU of a job, jobs a second and memory, everybody in turn, round by round."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from typing import Any

from bench.worker.catalogue import RAW, THROUGHPUT, Peer, Queue
from bench.worker.ours import OurWorker
from bench.worker.running import Measurement, PeerWorker, Servers

#: Not measured: imports, connections, the first pages of memory.
WARM_UP = 500
SLOTS = 64
#: The more jobs run at once, the more of them share a round trip.
MANY_SLOTS = 256

MANY = f"ours, {MANY_SLOTS} slots"

Figures = dict[str, float]


def measure(servers: Servers, jobs: int, rounds: int) -> list[dict[str, Any]]:
    """One row for each system; one that could not run says why."""
    runs: dict[str, Callable[[], Figures]] = {
        "ours": lambda: _ours(servers, "counted", jobs),
        MANY: lambda: _ours(servers, "counted", jobs, slots=MANY_SLOTS),
        "ours, batches of 64": lambda: _ours(servers, "counted_batch", jobs),
    }
    runs |= {peer.title: lambda peer=peer: _peer(servers, peer, jobs) for peer in THROUGHPUT}
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    problems: dict[str, str] = {}
    for number in range(rounds):
        for name, run in runs.items():
            if name not in problems:
                try:
                    found[name].append(run())
                except Exception as exc:  # noqa: BLE001 (whatever it is, the others are still measured)
                    problems[name] = str(exc).replace("\n", " ")[:300]
                sys.stdout.write(f"round {number + 1}: {name}: {problems.get(name, 'measured')}\n")
                sys.stdout.flush()
    return _rows(found, problems, jobs)


def _ours(servers: Servers, task: str, jobs: int, *, slots: int = SLOTS) -> Figures:
    measurement = Measurement(servers, task, mark=WARM_UP, jobs=jobs)
    with OurWorker(measurement, slots=slots) as worker:
        worker.send(task, WARM_UP + jobs)
        worker.start()
        return measurement.figures(worker.alive)


def _peer(servers: Servers, peer: Peer, jobs: int) -> Figures:
    measurement = Measurement(servers, peer.name, mark=WARM_UP, jobs=jobs)
    with PeerWorker(peer, measurement) as worker:
        if peer.queue is Queue.REDIS:
            worker.tell("send", WARM_UP + jobs)
        else:
            worker.produce({"n": n} for n in range(WARM_UP + jobs))
        worker.start()
        return measurement.figures(worker.alive)


def _rows(found: dict[str, list[Figures]], problems: dict[str, str], jobs: int) -> list[dict[str, Any]]:
    peers = {peer.title: peer for peer in THROUGHPUT}
    bases = {
        f"cpu, times {name}": statistics.median(_cpu_us(found[system], jobs))
        for name, system in (("ours", "ours"), ("raw", RAW.title))
        if found[system]
    }
    rows = []
    for name, runs in found.items():
        peer = peers.get(name)
        row: dict[str, Any] = {
            "system": _named(peer) if peer else name,
            "how": peer.how if peer else f"{MANY_SLOTS if name == MANY else SLOTS} slots",
            "queue": str(peer.queue) if peer else "Kafka",
            "results": "Redis" if peer is None or peer.keeps_results else "none",
        }
        if runs:
            cpu = _cpu_us(runs, jobs)
            row |= {
                "cpu us/job": round(statistics.median(cpu), 1),
                "spread": f"{min(cpu):.1f}-{max(cpu):.1f}",
                "jobs/s": round(statistics.median(jobs / run["wall_s"] for run in runs)),
                "rss MB": round(statistics.median(run["rss_mb"] for run in runs)),
            }
            row |= {column: round(statistics.median(cpu) / base, 2) for column, base in bases.items()}
        if name in problems:
            row["problem"] = problems[name]
        rows.append(row)
    return rows


def _named(peer: Peer) -> str:
    """The version stands after the package's name, before what is special."""
    title, comma, special = peer.title.partition(",")
    return f"{title} {peer.version()}".strip() + comma + special


def _cpu_us(runs: list[Figures], jobs: int) -> list[float]:
    return [run["cpu_s"] / jobs * 1e6 for run in runs]
