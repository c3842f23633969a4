"""Plain Faust: an agent that writes its table at each event and sends a job."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import faust

from bench.ingest.peers.history import job, longer
from bench.worker.peers import tally

TOPIC = os.environ["BENCH_TOPIC"]
app = faust.App(
    TOPIC,
    broker=f"kafka://{os.environ['BENCH_KAFKA']}",
    store="memory://",
    web_enabled=False,
    topic_disable_leader=True,
    topic_partitions=int(os.environ["BENCH_PARTITIONS"]),
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
    value_serializer="json",
    datadir=tempfile.mkdtemp(prefix="bench-faust-"),
)
events = app.topic(TOPIC, value_type=None, key_type=bytes)
jobs = app.topic(f"{TOPIC}-jobs", value_type=None, key_type=bytes)
histories = app.Table("histories", default=list)


@app.agent(events)
async def process(stream: AsyncIterator[dict[str, Any]]) -> None:
    async for event in stream:
        user = event["data"]["user_id"]
        history = longer(histories[user], event)
        histories[user] = history
        await jobs.send(key=user.encode(), value=job(event, history))
        tally.hit()


if __name__ == "__main__":
    faust.Worker(app, loglevel="ERROR").execute_from_commandline()
