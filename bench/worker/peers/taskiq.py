"""taskiq on Redis streams, its broker that acknowledges: after the result is saved; results kept."""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from taskiq.api import run_receiver_task
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from bench.worker.peers import tally

URL = os.environ["BENCH_REDIS"]
#: A group made by the worker must begin at the start: the jobs were sent before.
FROM_THE_START = "0"

broker = RedisStreamBroker(URL, consumer_id=FROM_THE_START).with_result_backend(
    RedisAsyncResultBackend(URL, result_ex_time=3600)
)


@broker.task(task_name="noop")
async def noop(n: int) -> bool:
    del n
    tally.hit()
    return True


async def send(jobs: int) -> None:
    await broker.startup()
    for n in range(jobs):
        await noop.kiq(n)
    await broker.shutdown()


def main() -> None:
    verb, *numbers = sys.argv[1:]
    work = send(int(numbers[0])) if verb == "send" else run_receiver_task(broker, run_startup=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


if __name__ == "__main__":
    main()
