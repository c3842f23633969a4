"""All three roles on a Valkey cluster of three nodes, from an event to its answers and back out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cluster import cluster_url, three_nodes
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until


@pytest.fixture
def system(kafka: str, tmp_path: Path) -> Iterator[SystemUnderTest]:
    with three_nodes() as nodes, SystemUnderTest(tmp_path, kafka, cluster_url(nodes)) as running:
        running.start("streams", "worker", "api")
        yield running


def test_an_event_becomes_answers_that_are_read_searched_and_invalidated(system: SystemUnderTest) -> None:
    api = system.http
    jobs = []
    for number in range(5):
        brief = {"campaign_id": f"c{number}", "brief": "shoes for people who walk"}
        jobs += system.publish("campaign.created", f"user-{number}", brief)
    records = system.ended([job for job in jobs if job.task == "roas_prediction"][:1])
    assert {record["status"] for record in records.values()} == {"completed"}
    wait_until(lambda: system.answer("roas_prediction:campaign:c4"), what="the last campaign's answer")

    waited = api.get("/cache/dashboard_data:user:user-1", headers={"Prefer": "wait=15"})
    assert waited.status_code == 200
    assert api.get("/jobs", params={"user": "user-1", "limit": 500}).json()["jobs"]
    assert api.get("/metrics").json()["metrics"]["workers_running"] > 0
    assert api.get("/queue").status_code == 200
    assert api.post("/refresh/roas_prediction").json()["tasks_queued"] == 5

    gone = api.delete("/cache", params={"pattern": "dashboard_data:*"}).json()["invalidated"]
    assert gone >= 1
    assert api.get("/cache/dashboard_data:user:user-1").status_code == 404
    batch = api.post("/batch", content='{"task": "dashboard_data", "id": "user-2"}\n').json()["batch"]
    where = f"/batch/{batch['id']}"
    wait_until(lambda: api.get(where).json()["batch"]["answered"] == 1, what="the batch's answer")


def test_every_screen_of_the_console_shows(system: SystemUnderTest) -> None:
    root = str(system.http.base_url).removesuffix("/api/precompute/")
    for name in ("", "/jobs", "/letters", "/cache", "/predictor?user=u1", "/workers", "/audit"):
        page = httpx.get(f"{root}/console{name}", trust_env=False, timeout=20)
        assert page.status_code == 200, name
    assert httpx.get(f"{root}/readyz?verbose=true", trust_env=False).json()["ok"] is True
