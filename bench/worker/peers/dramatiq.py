"""Dramatiq on Redis: acknowledged after the work, results kept, its usual eight threads in this process."""

from __future__ import annotations

import os
import signal
import sys

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


def main() -> None:
    verb, *numbers = sys.argv[1:]
    if verb == "send":
        for n in range(int(numbers[0])):
            noop.send(n)
        return
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    signal.sigwait([signal.SIGTERM, signal.SIGINT])


if __name__ == "__main__":
    # Before any thread starts, so that all of them leave the signals to `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    main()
    os._exit(0)
