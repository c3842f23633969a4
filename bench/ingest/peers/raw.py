"""The least that can be done: consume 500, a dictionary, produce, one flush, one commit; nothing survives."""

from __future__ import annotations

import os

import orjson
from confluent_kafka import Consumer, Producer

from bench.ingest.peers.history import job, longer
from bench.worker.peers import tally

AT_ONCE = 500


def main() -> None:
    topic = os.environ["BENCH_TOPIC"]
    servers = {"bootstrap.servers": os.environ["BENCH_KAFKA"]}
    consumer = Consumer(
        {**servers, "group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    producer = Producer({**servers, "linger.ms": 5, "acks": "all"})
    consumer.subscribe([topic])
    histories: dict[bytes, list[str]] = {}
    while True:
        messages = [m for m in consumer.consume(AT_ONCE, timeout=0.05) if m.error() is None]
        for message in messages:
            event = orjson.loads(message.value())
            key = message.key()
            history = histories[key] = longer(histories.get(key, []), event)
            producer.produce(f"{topic}-jobs", orjson.dumps(job(event, history)), key)
        if messages:
            producer.flush()
            consumer.commit(asynchronous=True)
            tally.hit(len(messages))


if __name__ == "__main__":
    main()
