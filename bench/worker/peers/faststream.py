"""FastStream on Kafka: each message acknowledged after the work; it keeps no results."""

from __future__ import annotations

import asyncio
import logging
import os

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from bench.worker.peers import tally

broker = KafkaBroker(os.environ["BENCH_KAFKA"], log_level=logging.ERROR)
app = FastStream(broker)


@broker.subscriber(
    os.environ["BENCH_TOPIC"],
    group_id=os.environ["BENCH_TOPIC"],
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.ACK,
)
async def noop(job: dict[str, int]) -> None:
    del job
    tally.hit()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(app.run(log_level=logging.ERROR))
