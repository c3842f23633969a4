"""FastStream on Kafka: each message acknowledged after the work; results with `store`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import redis.asyncio
import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from bench.worker.peers import tally

broker = KafkaBroker(os.environ["BENCH_KAFKA"], log_level=logging.ERROR)
app = FastStream(broker)
client = redis.asyncio.Redis.from_url(os.environ["BENCH_REDIS"])
STORES = "store" in sys.argv


@broker.subscriber(
    os.environ["BENCH_TOPIC"],
    group_id=os.environ["BENCH_TOPIC"],
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.ACK,
)
async def noop(job: dict[str, int]) -> None:
    if STORES:
        await client.set(f"faststream:{job['n']}", b'{"ok":true}', ex=3600)
    tally.hit()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(app.run(log_level=logging.ERROR))
