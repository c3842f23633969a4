"""Our worker under the same measurement."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Self

from bench.worker.running import ROOT, Measurement
from streams.contracts.jobs import Job, Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from tests.support.system import SystemUnderTest

#: Encoded before they are sent, so that the sender is not what is measured; and no more than fit in memory.
AT_A_TIME = 20_000
PRIORITY = 5


class OurWorker:
    """The worker role with `slots` jobs at once, on topics of its own."""

    def __init__(self, measurement: Measurement, *, slots: int, modules: Sequence[str] = ()) -> None:
        self.measurement = measurement
        servers = measurement.servers
        self._system = SystemUnderTest(
            servers.folder / measurement.name,
            servers.kafka,
            servers.redis_url,
            handler_modules=",".join(["bench.worker.counted", *modules]),
            workers=str(slots),
            predictor="false",
        )
        self._system.environment.update(measurement.environment, PYTHONPATH=str(ROOT))

    def __enter__(self) -> Self:
        self._system.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._system.__exit__()
        self.measurement.servers.flush()

    def start(self) -> None:
        self._system.start("worker")

    @property
    def pid(self) -> int:
        return self._system.roles["worker"].pid or 0

    def alive(self) -> None:
        role = self._system.roles.get("worker")
        if role is not None and role.has_ended():
            raise RuntimeError(f"the worker ended: {role.log_end()}")

    def send(
        self,
        task: str,
        count: int,
        priority: Callable[[int], int] = lambda _: PRIORITY,
        payload: bytes = b"{}",
    ) -> None:
        jobs = self._jobs(task, count, priority, payload)
        while True:
            encoded = [(job, encode_job(job)) for job in islice(jobs, AT_A_TIME)]
            if not encoded:
                return
            for number, (job, value) in enumerate(encoded):
                self._system.send(self._system.topics.jobs(job.priority), value, job.key)
                if number % 1000 == 0:
                    self._system.producer.poll(0)
            self._system.flush()

    def send_urgent(self, count: int, pause_s: float) -> None:
        for _ in range(count):
            self.send("nap", 1, lambda _: 10, b'{"sent":%r}' % time.time())
            time.sleep(pause_s)

    def _jobs(self, task: str, count: int, priority: Callable[[int], int], payload: bytes) -> Iterator[Job]:
        run = uuid.uuid4().hex[:8]
        for number in range(count):
            now = int(time.time() * 1000)
            yield new_job(
                CacheKey(task, "thing", f"{run}-{number}"),
                cause=run,
                user_id="u",
                priority=priority(number),
                why=Why.BATCH,
                created_at=now,
                input_version=now,
                payload=payload,
            )
