"""Workers of the measured system, the jobs they get, and when each job ended."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import Self

from bench.scale.handler import TRACES
from bench.worker.running import ROOT
from streams.contracts.jobs import Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

#: Jobs at once in each worker.
SLOTS = 16
PRIORITY = 8


class Workers:
    """`start(n)` runs so many; `ends` are the times at which jobs ended, over all processes."""

    def __init__(self, folder: Path, kafka: str, redis_url: str) -> None:
        self._traces = folder / "traces"
        self._traces.mkdir(parents=True)
        self.system = SystemUnderTest(
            folder, kafka, redis_url, handler_modules="bench.scale.handler", workers=str(SLOTS)
        )
        self.system.environment |= {TRACES: str(self._traces), "PYTHONPATH": str(ROOT)}
        self.sent = 0

    def __enter__(self) -> Self:
        self.system.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.system.__exit__()

    def start(self, *names: str) -> None:
        self.system.start(*(f"worker:{name}" for name in names))

    def start_third(self) -> None:
        self.start("third")

    def stop_third(self) -> None:
        self.system.roles["worker:third"].stop()

    def send(self, count: int) -> None:
        for _ in range(count):
            now = int(time.time() * 1000)
            job = new_job(
                CacheKey("waits", "thing", uuid.uuid4().hex),
                cause="bench",
                user_id="u",
                priority=PRIORITY,
                why=Why.BATCH,
                created_at=now,
                input_version=now,
            )
            self.system.send(self.system.topics.jobs(PRIORITY), encode_job(job), job.key)
            if self.sent % 500 == 0:
                self.system.producer.poll(0)
            self.sent += 1

    def ends(self) -> list[float]:
        return sorted(
            float(line) for path in self._traces.glob("*.log") for line in path.read_text().splitlines()
        )

    def wait_done(self, within_s: float) -> list[float]:
        """The ends, once as many jobs have ended as were sent."""
        self.system.flush()
        wait_until(lambda: len(self.ends()) >= self.sent or None, within_s=within_s, what=f"{self.sent} jobs")
        return self.ends()


class SteadySender:
    """Sends `rate` jobs a second until it is stopped; the rate may change meanwhile."""

    def __init__(self, workers: Workers, rate: float) -> None:
        self._workers = workers
        self.rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        #: (second of the epoch, jobs sent so far), twenty times a second.
        self.sent: list[tuple[float, int]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        due, last = 0.0, time.time()
        while not self._stop.wait(0.05):
            now = time.time()
            due += (now - last) * self.rate
            last = now
            self._workers.send(int(due))
            due -= int(due)
            self._workers.system.producer.poll(0)
            self.sent.append((now, self._workers.sent))
