"""`python -m bench.ingest [--quick]`: CPU from an event to a history and one job."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.ingest.running import CONTENDERS, USERS, WARM_UP, Figures, run_contender, run_ours
from bench.report import calibration_us, write
from bench.worker.running import Servers
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey

DESCRIPTION = """\
{count:,} events of {users} users after {warm_up:,} of warm-up, {rounds} round(s), one system after the
other in each, on the same broker. An event is JSON of about 150 bytes; each system decodes it, appends to
its user's last fifty actions and sends one job to Kafka. CPU is user and system time of its process, all
threads; broker and sender are not counted. Ours does more than that and is measured with it: validation,
duplicate and misrouted events, inputs for later recomputation, a mirror in Redis, metrics, and every job
acknowledged by the broker before the offset moves; `with prediction` also predicts each user's next action
and learns from it. The raw loop loses its histories when it ends. `times a fixed loop` compares with the
same piece of Python, measured in the same round: this ratio travels between machines."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    count, rounds = (10_000, 1) if quick else (60_000, 3)
    with tempfile.TemporaryDirectory() as folder, LocalKafka() as kafka, LocalValkey() as valkey:
        servers = Servers(kafka=kafka.bootstrap_servers, redis_url=valkey.url, folder=Path(folder))
        rows = _measure(servers, count, rounds)
    write(
        "ingest",
        "From an event to a history and a job",
        "make bench BENCH_ARGS=" + ('"ingest --quick"' if quick else "ingest"),
        rows,
        description=DESCRIPTION.format(count=count, rounds=rounds, users=USERS, warm_up=WARM_UP),
    )
    return 0


def _measure(servers: Servers, count: int, rounds: int) -> list[dict[str, Any]]:
    runs: dict[str, Callable[[], Figures]] = {
        "ours": lambda: run_ours(servers, count, predictor=False),
        "ours, with prediction": lambda: run_ours(servers, count, predictor=True),
    }
    runs |= {one.named: lambda one=one: run_contender(servers, one, count) for one in CONTENDERS}  # type: ignore[misc]
    how = {one.named: one.how for one in CONTENDERS}
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    problems: dict[str, str] = {}
    for number in range(rounds):
        for name, run in runs.items():
            if name in problems:
                continue
            try:
                found[name].append({**run(), "loop_us": calibration_us()})
            except Exception as exc:  # noqa: BLE001 (whatever it is, the others are still measured)
                problems[name] = str(exc).replace("\n", " ")[:300]
            sys.stdout.write(f"round {number + 1}: {name}: {problems.get(name, 'measured')}\n")
            sys.stdout.flush()
    return _rows(found, problems, how, count)


def _rows(
    found: dict[str, list[Figures]], problems: dict[str, str], how: dict[str, str], count: int
) -> list[dict[str, Any]]:
    bases = {
        name.split(" ", maxsplit=1)[0]: statistics.median(run["cpu_s"] for run in runs) / count * 1e6
        for name, runs in found.items()
        if runs and name.startswith(("Quix", "raw"))
    }
    rows = []
    for name, runs in found.items():
        row: dict[str, Any] = {"system": name, "how": how.get(name, "the streams role, all of it")}
        if runs:
            cpu = [run["cpu_s"] / count * 1e6 for run in runs]
            row |= {
                "cpu us/event": round(statistics.median(cpu), 1),
                "spread": f"{min(cpu):.1f}-{max(cpu):.1f}",
                "rss MB": round(statistics.median(run["rss_mb"] for run in runs)),
                "times a fixed loop": round(
                    statistics.median(us / run["loop_us"] for us, run in zip(cpu, runs, strict=True)), 2
                ),
            }
            row |= {f"times {base}": round(statistics.median(cpu) / us, 2) for base, us in bases.items()}
        if name in problems:
            row["problem"] = problems[name]
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
