"""Quix Streams: a stateful step with its changelog, and a job to a topic; checkpoints as it makes them."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from quixstreams import Application, State

from bench.ingest.peers.history import job, longer
from bench.worker.peers import tally

TOPIC = os.environ["BENCH_TOPIC"]
app = Application(
    broker_address=os.environ["BENCH_KAFKA"],
    consumer_group=TOPIC,
    auto_offset_reset="earliest",
    state_dir=tempfile.mkdtemp(prefix="bench-quix-"),
    loglevel="ERROR",
)


def process(event: dict[str, Any], state: State) -> dict[str, Any]:
    history = longer(state.get("history", []), event)
    state.set("history", history)
    return job(event, history)


def count(_: Any) -> None:
    tally.hit()


if __name__ == "__main__":
    events = app.topic(TOPIC, value_deserializer="json")
    jobs = app.topic(f"{TOPIC}-jobs", value_serializer="json")
    frame = app.dataframe(events).apply(process, stateful=True).to_topic(jobs)
    frame.update(count)
    app.run()
