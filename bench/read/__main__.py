"""`python -m bench.read [--quick]`: the client, waiting readers, the API and its console."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.read import client, console, http, waiting
from bench.report import write_parts
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey

DESCRIPTION = """\
Everything on one machine. **The client**: {calls} calls a round (twenty times as many in memory), {rounds}
rounds, one subject after the other in each; medians, and medians of the ratios within a round. Redis-py's
bare GET decodes the same stored answer; cashews stores the same result its own way.
**Waiting**: each reader waits for a key of its own; the delay runs from the reply to the write of the batch
of 250 answers that holds the key. **The API**: one process, asked over {connections} kept connections; at the
steady rate the time runs from when a request was due. It, the cache and the benchmark have the scheduler's
real-time class, which is what a machine with two free cores is like; *on shared cores* they have not, and
*waited for a core* is the share of the time in which the process was ready to run and had none.
**The console**: over a ledger of {jobs:,} jobs, one process, {turns} loads of each page."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick: bool = parser.parse_args().quick
    rounds, calls = (3, 500) if quick else (11, 2000)
    jobs = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder, LocalKafka() as kafka, LocalValkey() as valkey:
        parts = {
            "The client": client.measure(valkey.url, rounds, calls),
            "Waiting": waiting.measure(valkey.url, 10_000),
            "The API": http.measure(
                Path(folder),
                kafka.bootstrap_servers,
                valkey,
                3.0 if quick else 15.0,
                50 if quick else 300,
            ),
            "The console": console.measure(Path(folder), kafka.bootstrap_servers, jobs),
        }
    write_parts(
        "read",
        "The read side",
        "make bench-read" + (" BENCH_ARGS=--quick" if quick else ""),
        parts,
        description=DESCRIPTION.format(
            calls=calls, rounds=rounds, connections=http.CONNECTIONS, jobs=jobs, turns=console.TURNS
        ),
    )


if __name__ == "__main__":
    main()
