"""Plain Faust on Kafka: an agent, acknowledged after the work; results with `store`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncIterator

import faust
import redis.asyncio

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


client = redis.asyncio.Redis.from_url(os.environ["BENCH_REDIS"])


async def noop(stream: AsyncIterator[dict[str, int]]) -> None:
    async for _ in stream:
        tally.hit()


async def noop_stored(stream: AsyncIterator[dict[str, int]]) -> None:
    async for job in stream:
        await client.set(f"faust:{job['n']}", b'{"ok":true}', ex=3600)
        tally.hit()


if __name__ == "__main__":
    app.agent(jobs)(noop_stored if "store" in sys.argv else noop)
    faust.Worker(app, loglevel="ERROR").execute_from_commandline()
