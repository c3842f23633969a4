"""Cancelling a job that runs: its work ends, its lease goes, its readers are told, its slot is free."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec
import pytest
import redis

from streams.cache.names import RedisNames
from streams.contracts.jobs import Job, Priority, Why, encode_job
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def system(kafka: str, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemUnderTest]:
    """One slot: a job that runs is all that this worker does."""
    folder = tmp_path_factory.mktemp("cancelling")
    settings = {"handler_modules": "tests.support.slow_handlers", "workers": "1"}
    with SystemUnderTest(folder, kafka, valkey, **settings) as running:
        running.start("worker", "api")
        yield running


def start(system: SystemUnderTest, task: str) -> Job:
    """A job that runs now."""
    one = uuid.uuid4().hex[:12]
    job = Job(
        id=uuid.uuid4().hex[:24],
        task=task,
        key=f"{task}:thing:{one}",
        entity="thing",
        entity_id=one,
        user_id="u1",
        priority=Priority.DEMAND,
        why=Why.DEMAND,
        created_at=int(time.time() * 1000),
        input_version=1,
        payload=msgspec.Raw(b"{}"),
    )
    system.send(system.topics.jobs(job.priority), encode_job(job), job.key)
    system.flush()
    wait_until(lambda: status(system, job) == "processing", what="the start of the job")
    return job


def status(system: SystemUnderTest, job: Job) -> str | None:
    found = system.job(job.id)
    return found["status"] if found is not None else None


@pytest.mark.parametrize("task", ["slow_io", "slow_cpu"])
def test_a_running_job_ends_and_the_next_one_starts(system: SystemUnderTest, valkey: str, task: str) -> None:
    job = start(system, task)
    response = system.http.post(f"/jobs/{job.id}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "processing")
    wait_until(lambda: status(system, job) == "cancelled", what="the end of the job")
    found = system.job(job.id)
    assert found is not None
    assert [entry["status"] for entry in found["timeline"]][-2:] == ["processing", "cancelled"]
    assert found["timeline"][-1]["worker"]
    with redis.Redis.from_url(valkey) as cache:
        assert not cache.exists(RedisNames(system.settings.namespace).lease(job.key))
    assert system.answer(job.key) is None
    counted = f'precompute_jobs_finished_total{{priority="10",result="cancelled",task="{task}"}}'
    metrics = system.roles["worker"].metrics_url
    wait_until(lambda: counted in httpx.get(metrics, trust_env=False).text, what="the count")
    # Cancelling once more is a conflict; the slot is free for another job.
    assert system.http.post(f"/jobs/{job.id}/cancel").status_code == 409
    other = start(system, task)
    assert system.http.post(f"/jobs/{other.id}/cancel").status_code == 202
    wait_until(lambda: status(system, other) == "cancelled", what="the end of the other job")


def test_readers_who_wait_for_it_are_told(system: SystemUnderTest) -> None:
    job = start(system, "slow_io")
    names = RedisNames(system.settings.namespace)
    with redis.Redis.from_url(system.settings.redis_url.get_secret_value()) as cache:
        # As if one of them had asked for it.
        cache.set(names.asked(job.key), job.id, ex=60)
    with ThreadPoolExecutor(1) as threads:
        reader = threads.submit(
            system.http.get, f"/cache/{job.key}", params={"on_miss": "compute"}, headers={"Prefer": "wait=15"}
        )
        wait_until(lambda: _waiting(system) > 0, what="the reader")
        system.http.post(f"/jobs/{job.id}/cancel")
        # Sooner than the reader's own time is over.
        response = reader.result(timeout=14)
    assert response.status_code == 202


def _waiting(system: SystemUnderTest) -> float:
    text = httpx.get(system.roles["api"].metrics_url, trust_env=False).text
    line = next(line for line in text.splitlines() if line.startswith("precompute_readers_waiting "))
    return float(line.split()[1])


def test_bulk_stops_what_runs_only_when_asked_by_name(system: SystemUnderTest) -> None:
    job = start(system, "slow_io")
    bulk = "/jobs/bulk/cancel"
    by_key = {"key": job.key, "dry_run": False}
    assert system.http.post(bulk, params=by_key).json()["jobs"] == 0
    assert system.http.post(bulk, params={**by_key, "status": "processing"}).json()["jobs"] == 1
    wait_until(lambda: status(system, job) == "cancelled", what="the end of the job")


def test_the_console_offers_to_stop_it(system: SystemUnderTest) -> None:
    job = start(system, "slow_io")
    root = str(system.http.base_url).removesuffix("/api/precompute/")
    with httpx.Client(base_url=f"{root}/console", trust_env=False) as console:
        assert "Stop…" in console.get(f"/jobs/{job.id}").text
        asked = console.get("/confirm", params={"act": "cancel", "job": job.id})
        assert "Stop the job" in asked.text
        headers = {"Origin": root, "Content-Type": "application/x-www-form-urlencoded"}
        done = console.post("/do", content=f"act=cancel&job={job.id}", headers=headers)
        assert done.status_code == 303
    wait_until(lambda: status(system, job) == "cancelled", what="the end of the job")
