"""Celery on Redis: acknowledged after the work, results kept, Redis priorities."""

from __future__ import annotations

import os
import sys
import time

from celery import Celery

from bench.worker.peers import tally

URL = os.environ["BENCH_REDIS"]
#: Celery's Redis priorities are lists; 0 is the most urgent of these.
STEPS = list(range(10))
URGENT, LOWEST = 0, 9

app = Celery("bench", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=False,
    task_default_priority=5,
    worker_prefetch_multiplier=1,
    broker_transport_options={"priority_steps": STEPS, "sep": ":", "queue_order_strategy": "priority"},
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="noop")
def noop(n: int) -> bool:
    del n
    tally.hit()
    return True


@app.task(name="nap")
def nap(sent: float) -> bool:
    """Ten milliseconds; an urgent one says when it was sent."""
    time.sleep(0.01)
    if sent:
        tally.late(sent)
    else:
        tally.hit()
    return True


def send(jobs: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for n in range(jobs):
            noop.apply_async((n,), producer=producer)


def send_naps(jobs: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for n in range(jobs):
            nap.apply_async((0.0,), priority=LOWEST - n % 8, producer=producer)


def send_urgent(jobs: int, pause_s: float) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(jobs):
            nap.apply_async((time.time(),), priority=URGENT, producer=producer)
            time.sleep(pause_s)


def main() -> None:
    verb, *numbers = sys.argv[1:]
    if verb == "send":
        send(int(numbers[0]))
    elif verb == "naps":
        send_naps(int(numbers[0]))
    elif verb == "urgent":
        send_urgent(int(numbers[0]), float(numbers[1]))
    else:
        # For jobs that do nothing the pool without processes or threads is the cheapest.
        pool = ["--pool=threads", f"--concurrency={numbers[0]}"] if numbers else ["--pool=solo"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
        app.worker_main(["worker", *pool, *quiet])


if __name__ == "__main__":
    main()
