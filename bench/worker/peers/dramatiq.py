"""Dramatiq on Redis: acknowledged after the work, results kept, its usual eight threads in this process."""

from __future__ import annotations

import os
import signal
import sys
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench.worker.peers import tally

URL = os.environ["BENCH_REDIS"]
THREADS = 8

broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def noop(n: int) -> bool:
    del n
    tally.hit()
    return True


@dramatiq.actor(queue_name="backlog", priority=10)
def nap() -> None:
    """Ten milliseconds of a job that can wait."""
    time.sleep(0.01)
    tally.hit()


@dramatiq.actor(queue_name="urgent", priority=0)
def urgent(sent: float) -> None:
    """Ten milliseconds; says when it was sent. A queue of its own, and first among what is fetched."""
    time.sleep(0.01)
    tally.late(sent)


def send_urgent(jobs: int, pause_s: float) -> None:
    for _ in range(jobs):
        urgent.send(time.time())
        time.sleep(pause_s)


def main() -> None:
    verb, *numbers = sys.argv[1:]
    if verb == "send":
        for n in range(int(numbers[0])):
            noop.send(n)
        return
    if verb == "naps":
        for _ in range(int(numbers[0])):
            nap.send()
        return
    if verb == "urgent":
        send_urgent(int(numbers[0]), float(numbers[1]))
        return
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    signal.sigwait([signal.SIGTERM, signal.SIGINT])


if __name__ == "__main__":
    # Before any thread starts, so that all of them leave the signals to `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    main()
    os._exit(0)
