"""The simulation against a real worker: the same jobs and service times, waits and throughput compared."""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis

from streams.cache.codec import decode_stored
from streams.cache.names import RedisNames
from streams.contracts.jobs import Job, Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.results import StoredResult
from streams.planning.arrivals import Arrival
from streams.planning.constants import JOB_CPU_S
from streams.planning.simulation import FleetConfig, SimulationReport, simulate
from tests.support.burning import ENTITY, TASK
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

SLOTS = CHILDREN = 3
LOW, HIGH = 3, 8
#: Slots that are not kept for operators and waiting readers.
ORDINARY = 2
LOW_JOBS, HIGH_JOBS, EMPTY_JOBS = 160, 80, 60
MEAN_CPU_MS = 15.0
#: Fetching takes milliseconds, on a busy machine some hundred of them; queueing takes seconds.
BAND, FLOOR_S = 0.25, 0.5

pytestmark = [pytest.mark.kafka, pytest.mark.redis]


class RealWorker:
    """Sends jobs and reads what became of them."""

    def __init__(self, system: SystemUnderTest) -> None:
        self._system = system
        self._redis = redis.Redis.from_url(system.settings.redis_url.get_secret_value())
        self._names = RedisNames(system.settings.namespace)
        self._draw = random.Random(7)

    def send(self, count: int, priority: int, *, mean_cpu_ms: float = MEAN_CPU_MS) -> list[Job]:
        jobs = []
        for _ in range(count):
            now = int(time.time() * 1000)
            cpu_ms = mean_cpu_ms * self._draw.lognormvariate(-0.18, 0.6)
            job = new_job(
                CacheKey(TASK, ENTITY, uuid.uuid4().hex[:12]),
                cause=uuid.uuid4().hex,
                user_id="u",
                priority=priority,
                why=Why.BATCH,
                created_at=now,
                input_version=now,
                payload=msgspec.json.encode({"cpu_ms": cpu_ms}),
            )
            self._system.send(self._system.topics.jobs(priority), encode_job(job), job.key)
            jobs.append(job)
        self._system.flush()
        return jobs

    def answers(self, jobs: list[Job], *, at_least: int) -> dict[str, StoredResult]:
        """Waits for so many answers; by key."""

        def look() -> dict[str, StoredResult] | None:
            raw = self._redis.mget([self._names.result(job.key) for job in jobs])
            found = [decode_stored(one) for one in raw if one is not None]
            return {one.key: one for one in found} if len(found) >= at_least else None

        return wait_until(look, within_s=90, what=f"{at_least} answers")


@pytest.fixture
def worker(kafka: str, redis_url: str, tmp_path: Path) -> Iterator[RealWorker]:
    with SystemUnderTest(
        tmp_path,
        kafka,
        redis_url,
        handler_modules="tests.support.burning",
        workers=str(SLOTS),
        cpu_processes=str(CHILDREN),
    ) as system:
        system.environment["PYTHONPATH"] = str(Path.cwd())
        system.start("worker")
        yield RealWorker(system)


def test_a_real_worker_does_what_the_simulation_says(worker: RealWorker) -> None:
    warm = worker.send(2 * CHILDREN, HIGH)
    worker.answers(warm, at_least=len(warm))
    around_s = _measure_around(worker)

    low, high = worker.send(LOW_JOBS, LOW), worker.send(HIGH_JOBS, HIGH)
    jobs = [*low, *high]
    answers = worker.answers(jobs, at_least=len(jobs))

    report = _simulate(jobs, answers, around_s)
    assert report.completed == len(jobs)
    assert report.seconds == pytest.approx(_span_s(jobs, answers), rel=BAND, abs=FLOOR_S), "throughput"
    for priority, sent in ((HIGH, high), (LOW, low)):
        real = statistics.fmean((answers[job.key].computed_at - job.created_at) / 1000 for job in sent)
        assert statistics.fmean(report.answers_s[priority]) == pytest.approx(real, rel=BAND, abs=FLOOR_S)
    # The comparison would say little if everything were answered at once, or in any order.
    means = {priority: statistics.fmean(found) for priority, found in report.answers_s.items()}
    assert means[LOW] > means[HIGH] > 2 * MEAN_CPU_MS / 1000


def _measure_around(worker: RealWorker) -> float:
    """Seconds that a slot is taken for a job beside its handler: claim, write, report; here and now."""
    jobs = worker.send(EMPTY_JOBS, HIGH, mean_cpu_ms=0.0)
    answers = worker.answers(jobs, at_least=len(jobs))
    computing = sum(one.compute_ms for one in answers.values()) / 1000
    return max(0.0, (ORDINARY * _span_s(jobs, answers) - computing) / len(jobs))


def _span_s(jobs: list[Job], answers: dict[str, StoredResult]) -> float:
    return (max(answers[job.key].computed_at for job in jobs) - jobs[0].created_at) / 1000


def _simulate(jobs: list[Job], answers: dict[str, StoredResult], around_s: float) -> SimulationReport:
    began = jobs[0].created_at
    arrivals = [
        Arrival(
            at_s=(job.created_at - began) / 1000,
            worker=0,
            task=job.task,
            priority=job.priority,
            cpu_s=answers[job.key].compute_ms / 1000,
            wait_s=around_s,
        )
        for job in jobs
    ]
    return simulate(arrivals, FleetConfig(workers=1, slots=SLOTS, children=CHILDREN, loop_s=JOB_CPU_S.value))
