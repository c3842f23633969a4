"""Quix Streams on Kafka: at least once, offsets at its usual checkpoints of 5 s; it keeps no results."""

from __future__ import annotations

import os

from quixstreams import Application

from bench.worker.peers import tally

app = Application(
    broker_address=os.environ["BENCH_KAFKA"],
    consumer_group=os.environ["BENCH_TOPIC"],
    auto_offset_reset="earliest",
    loglevel="ERROR",
)


def noop(job: dict[str, int]) -> dict[str, int]:
    tally.hit()
    return job


if __name__ == "__main__":
    topic = app.topic(os.environ["BENCH_TOPIC"], value_deserializer="json")
    frame = app.dataframe(topic)
    frame.apply(noop)
    app.run()
