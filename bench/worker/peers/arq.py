"""arq on Redis: acknowledged after the work, results kept."""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker, func

from bench.worker.peers import tally

SETTINGS = RedisSettings.from_dsn(os.environ["BENCH_REDIS"])
#: As many at once as ours.
JOBS_AT_ONCE = 64
#: arq reads once a pause; its usual half second would leave it idle most of the time.
POLL_S = 0.01


async def noop(context: dict[str, object], n: int) -> bool:
    del context, n
    tally.hit()
    return True


async def send(jobs: int) -> None:
    pool = await create_pool(SETTINGS)
    for n in range(jobs):
        await pool.enqueue_job("noop", n)
    await pool.aclose()


async def work() -> None:
    worker = Worker(
        functions=[func(noop, name="noop")],
        redis_settings=SETTINGS,
        max_jobs=JOBS_AT_ONCE,
        poll_delay=POLL_S,
        keep_result=3600,
        handle_signals=False,
    )
    await worker.async_run()


def main() -> None:
    verb, *numbers = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send(int(numbers[0])) if verb == "send" else work())


if __name__ == "__main__":
    main()
