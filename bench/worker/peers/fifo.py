"""One topic, eight threads, first in, first out: what a queue without priorities does to an urgent job."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time

from confluent_kafka import Consumer, Message

from bench.worker.peers import tally

#: Enough that no thread waits for the consumer.
IN_HAND = 64


def work(jobs: queue.Queue[Message]) -> None:
    while True:
        sent = json.loads(jobs.get().value())["sent"]
        time.sleep(0.01)
        if sent:
            tally.late(sent)
        else:
            tally.hit()


def main() -> None:
    jobs: queue.Queue[Message] = queue.Queue(IN_HAND)
    for _ in range(int(sys.argv[2])):
        threading.Thread(target=work, args=(jobs,), daemon=True).start()
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["BENCH_KAFKA"],
            "group.id": os.environ["BENCH_TOPIC"],
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 5,
        }
    )
    consumer.subscribe([os.environ["BENCH_TOPIC"]])
    while True:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            jobs.put(message)


if __name__ == "__main__":
    main()
