"""Quix Streams on Kafka: at least once, offsets at its usual checkpoints of 5 s; results with `store`."""

from __future__ import annotations

import os
import sys

import redis
from quixstreams import Application

from bench.worker.peers import tally

app = Application(
    broker_address=os.environ["BENCH_KAFKA"],
    consumer_group=os.environ["BENCH_TOPIC"],
    auto_offset_reset="earliest",
    loglevel="ERROR",
)


client = redis.Redis.from_url(os.environ["BENCH_REDIS"])


def noop(job: dict[str, int]) -> dict[str, int]:
    tally.hit()
    return job


def noop_stored(job: dict[str, int]) -> dict[str, int]:
    client.set(f"quix:{job['n']}", b'{"ok":true}', ex=3600)
    tally.hit()
    return job


if __name__ == "__main__":
    topic = app.topic(os.environ["BENCH_TOPIC"], value_deserializer="json")
    frame = app.dataframe(topic)
    frame.apply(noop_stored if "store" in sys.argv else noop)
    app.run()
