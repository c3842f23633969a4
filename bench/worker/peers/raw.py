"""The least that can be done: consume 500, one pipeline of SETs, one commit."""

from __future__ import annotations

import os

import redis
from confluent_kafka import Consumer

from bench.worker.peers import tally

AT_ONCE = 500
RESULT = b'{"ok":true}'


def main() -> None:
    client = redis.Redis.from_url(os.environ["BENCH_REDIS"])
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["BENCH_KAFKA"],
            "group.id": os.environ["BENCH_TOPIC"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([os.environ["BENCH_TOPIC"]])
    while True:
        messages = [m for m in consumer.consume(AT_ONCE, timeout=0.05) if m.error() is None]
        if messages:
            pipeline = client.pipeline(transaction=False)
            for message in messages:
                pipeline.set(b"raw:" + message.key(), RESULT, ex=3600)
            pipeline.execute()
            consumer.commit(asynchronous=True)
            tally.hit(len(messages))


if __name__ == "__main__":
    main()
