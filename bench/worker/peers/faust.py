"""Plain Faust on Kafka: an agent, acknowledged after the work; it keeps no results."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator

import faust

from bench.worker.peers import tally

app = faust.App(
    os.environ["BENCH_TOPIC"],
    broker=f"kafka://{os.environ['BENCH_KAFKA']}",
    store="memory://",
    web_enabled=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    value_serializer="json",
    datadir=tempfile.mkdtemp(prefix="bench-faust-"),
)
jobs = app.topic(os.environ["BENCH_TOPIC"], value_type=None)


@app.agent(jobs)
async def noop(stream: AsyncIterator[dict[str, int]]) -> None:
    async for _ in stream:
        tally.hit()


if __name__ == "__main__":
    faust.Worker(app, loglevel="ERROR").execute_from_commandline()
