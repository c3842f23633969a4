"""`python -m bench.worker [--quick]`: our worker next to what people would use instead."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.report import write_parts
from bench.worker import memory, starvation, throughput, urgency
from bench.worker.running import Servers
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey

PARTS = ("throughput", "urgency", "starvation", "consumers", "memory")

DESCRIPTION = """\
Everybody runs on the same broker and the same cache, one after the other in each round, in an environment of
its own with pinned versions (`bench/worker/peers/`), one process each, and counts itself alike.

**Jobs that do nothing.** {jobs:,} measured jobs after {warm_up} of warm-up, {rounds} round(s), medians. CPU
is user and system time of the worker process, all threads. Jobs are acknowledged after the work; the result
is stored in Redis where the system has a result store; those without one are spared that work (`none`), and
measured once more with a handler that writes it (`storing`). Ours does all it does in production: priority,
lease, status, metrics, results. `cpu, times ours` compares with our single jobs, `times raw` with the loop
that does no more than it must. All jobs are sent before the worker starts: a sender beside it would take the
cores that broker, cache and worker share, and the clients of some send no faster than their workers work.

**An urgent job behind a backlog.** Jobs of 10 ms, eight at once; {backlog:,} lower ones wait (levels 1 to 8),
and {urgent} urgent ones are sent, ten a second. From sending to the end of the handler, next to the same
system's when it is idle. One topic without priorities shows what the backlog does otherwise.

{only_full}**Memory.** RSS of one process after a tenth of {many:,} jobs and after all."""

#: Of the parts that a quick run leaves out, since they wait for deadlines of a minute.
ONLY_FULL = """\
**The lowest jobs under a steady overload.** All slots are busy with jobs of the levels 2 to 8, of which more
wait than can be done meanwhile. Jobs of level 1 are sent at once, and the longest time until one of them ends
is measured, over {starts} of them: the level's deadline, and its turn among the other overdue levels.

**One consumer or two.** The urgent jobs again, by our worker as it is (one consumer, levels paused between
wide marks) and with a second consumer for the levels 9 and 10 (`bench/worker/divided.py`).

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=PARTS, help="prints, writes nothing")
    arguments = parser.parse_args()
    quick: bool = arguments.quick
    jobs, rounds = (5_000, 1) if quick else (20_000, 3)
    backlog, urgent = (5_000, 50) if quick else (100_000, 200)
    starts, many = (1, 20_000) if quick else (3, 1_000_000)
    every = ("throughput", "urgency", "memory") if quick else PARTS
    wanted = every if arguments.only is None else (arguments.only,)
    parts = {}
    with tempfile.TemporaryDirectory() as folder, LocalKafka() as kafka, LocalValkey() as valkey:
        servers = Servers(kafka=kafka.bootstrap_servers, redis_url=valkey.url, folder=Path(folder))
        if "throughput" in wanted:
            parts["Jobs that do nothing"] = throughput.measure(servers, jobs, rounds)
        if "urgency" in wanted:
            parts["An urgent job behind a backlog"] = urgency.measure(servers, backlog, urgent)
        if "starvation" in wanted:
            parts["The lowest jobs under a steady overload"] = starvation.measure(servers, starts)
        if "consumers" in wanted:
            parts["One consumer or two"] = urgency.measure_consumers(servers, backlog, urgent)
        if "memory" in wanted:
            parts["Memory"] = memory.measure(servers, many)
    write_parts(
        "worker",
        "The worker next to other job queues",
        "make bench-worker" + (" BENCH_ARGS=--quick" if quick else ""),
        parts,
        description=DESCRIPTION.format(
            jobs=jobs,
            rounds=rounds,
            backlog=backlog,
            urgent=urgent,
            many=many,
            warm_up=throughput.WARM_UP,
            only_full="" if quick else ONLY_FULL.format(starts=starts),
        ),
        keep=arguments.only is None,
    )


if __name__ == "__main__":
    main()
