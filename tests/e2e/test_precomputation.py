"""The ten scenarios: what somebody who installs this expects to see, on the real broker and cache."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from handlers.sample_clip import ClipTruth
from predictor.history import Action, History
from predictor.prior import synthetic_ngram
from streams.contracts.jobs import Priority
from streams.contracts.tasks import BUILTIN_TASKS, CACHE_TTL, Entity, PrecomputeTaskType
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(180)]

#: TTLs vary by a tenth, so that answers do not expire at once.
JITTER = 0.1


def fresh_id(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def upload(system: SystemUnderTest, clip: ClipTruth) -> tuple[str, dict[str, dict[str, Any]]]:
    video = fresh_id("video")
    jobs = system.publish("video.uploaded", fresh_id("user"), {"video_id": video, "uri": clip.path})
    return video, system.ended(jobs, within_s=120)


@pytest.fixture(scope="module")
def campaign(system: SystemUnderTest) -> tuple[str, dict[str, dict[str, Any]]]:
    campaign = fresh_id("campaign")
    rows = [
        {
            "date": f"2026-10-{day:02d}",
            "impressions": 9000,
            "clicks": 150 + day,
            "spend": 90.0,
            "conversions": 9,
        }
        for day in range(1, 29)
    ]
    data = {
        "campaign_id": campaign,
        "brief": {"product": "tea", "benefit": "calm mornings"},
        "order_value": {"amount": 30.0, "currency": "EUR"},
        "history": {"currency": "EUR", "rows": rows},
    }
    return campaign, system.ended(system.publish("campaign.created", fresh_id("user"), data))


def test_action_predictor_ranks_what_may_follow() -> None:
    model = synthetic_ngram()
    history = History("u1")
    history.append(Action("view_dashboard", 1_000_000))

    prediction = model.predict(history, 1_001_000)

    assert sum(prediction.probabilities) == pytest.approx(1.0)
    assert [p for _, p in prediction.ranked] == sorted(prediction.probabilities, reverse=True)
    assert "END" in prediction.names
    before = prediction.probability_of("export_report")
    for _ in range(50):
        model.observe(history, Action("export_report", 1_001_000))
    assert model.predict(history, 1_001_000).probability_of("export_report") > before


def test_video_upload_ends_in_six_answers(
    system: SystemUnderTest, clip: ClipTruth, upload: tuple[str, dict[str, dict[str, Any]]]
) -> None:
    video, ended = upload

    assert set(ended) == {spec.name for spec in BUILTIN_TASKS.of_entity(Entity.VIDEO)}
    assert {job["priority"] for job in ended.values()} == {Priority.UPLOAD}
    assert {task: (j["status"], j["reason"]) for task, j in ended.items() if j["status"] == "failed"} == {}
    scenes = system.answer(f"scene_detection:video:{video}")
    assert scenes is not None
    starts = [scene["start_s"] for scene in scenes["result"]["scenes"][1:]]
    assert starts == pytest.approx(clip.cuts_s, abs=0.1)
    thumbnails = system.answer(f"thumbnail_generation:video:{video}")
    assert thumbnails is not None
    assert thumbnails["result"]["thumbnails"]


def test_campaign_ends_in_four_answers(
    system: SystemUnderTest, campaign: tuple[str, dict[str, dict[str, Any]]]
) -> None:
    name, ended = campaign

    assert set(ended) == {spec.name for spec in BUILTIN_TASKS.of_entity(Entity.CAMPAIGN)}
    assert ended["roas_prediction"]["priority"] == Priority.CAMPAIGN
    assert ended["campaign_analytics"]["priority"] == Priority.ANALYTICS
    analytics = system.answer(f"campaign_analytics:campaign:{name}")
    assert analytics is not None
    assert analytics["result"]["totals"]["impressions"] == 28 * 9000


def test_login_ends_in_a_dashboard_and_predictions(system: SystemUnderTest) -> None:
    user = fresh_id("user")

    response = system.http.post("/login", json={"user_id": user, "user_data": {"account": {"rows": []}}})

    assert response.status_code == 202
    body = response.json()
    assert body["tasks_queued"] == len(body["task_ids"]) == 1
    wait_until(lambda: system.answer(f"dashboard_data:user:{user}"), what="the dashboard")

    def own_predictions() -> list[dict[str, Any]] | None:
        found = system.http.post("/predict-actions", json={"user_id": user}).json()
        return found["predictions"] if found.get("predicted_at") else None

    predictions = wait_until(own_predictions, what="predictions")
    assert {"action", "probability", "confidence", "acted_on", "why_not"} <= set(predictions[0])
    assert all(one["acted_on"] or one["why_not"] for one in predictions)


def test_cache_serves_with_ttl_and_invalidates(
    system: SystemUnderTest, upload: tuple[str, dict[str, dict[str, Any]]]
) -> None:
    video, _ = upload
    key = f"ctr_prediction:video:{video}"
    response = system.http.get(f"/cache/{key}")
    body = response.json()

    assert body["cached"] is True
    assert body["state"] == "fresh"
    ttl = CACHE_TTL[PrecomputeTaskType.CTR_PREDICTION]
    left = int(response.headers["cache-control"].partition("max-age=")[2].partition(",")[0])
    assert ttl * (1 - JITTER) - 120 <= left <= ttl * (1 + JITTER)
    again = system.http.get(f"/cache/{key}", headers={"If-None-Match": response.headers["etag"]})
    assert again.status_code == 304

    removed = system.http.request("DELETE", "/cache", json={"pattern": key}).json()
    assert removed == {"success": True, "invalidated": 1, "pattern": key}
    missing = system.http.get(f"/cache/{key}")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
    computed = system.http.get(f"/cache/{key}", headers={"Prefer": "wait=20"})
    assert computed.status_code == 200
    assert computed.json()["why"] == "demand"


def test_queue_counts_by_task_and_priority(system: SystemUnderTest) -> None:
    def drained() -> dict[str, Any] | None:
        body: dict[str, Any] = system.http.get("/queue").json()
        return body if body["by_priority"]["total"] == 0 and body["queue_stats"]["total"] == 0 else None

    body = wait_until(drained, what="an empty queue")
    assert set(body["queue_stats"]) == {*BUILTIN_TASKS, "total"}
    assert set(body["by_priority"]) == {*map(str, range(1, 11)), "total"}


def test_task_processing_leaves_a_timeline(
    system: SystemUnderTest, campaign: tuple[str, dict[str, dict[str, Any]]]
) -> None:
    _, ended = campaign
    job = ended["roas_prediction"]

    assert job["status"] == "completed"
    statuses = [entry["status"] for entry in job["timeline"]]
    assert statuses[-2:] == ["processing", "completed"]
    assert job["why"] == "campaign"


def test_metrics_of_the_fleet(system: SystemUnderTest, upload: tuple[str, dict[str, dict[str, Any]]]) -> None:
    def counted() -> dict[str, Any] | None:
        metrics: dict[str, Any] = system.http.get("/metrics").json()["metrics"]
        return metrics if metrics["raw_metrics"]["tasks_completed"] >= 5 else None

    metrics = wait_until(counted, what="the fleet's counters")
    assert metrics["avg_processing_time"]["scene_detection"] > 0
    assert 0 <= metrics["cache_hit_rate"] <= 100
    for role in system.roles.values():
        text = httpx.get(role.metrics_url, trust_env=False).text
        assert "precompute_" in text


def test_background_workers_are_counted(system: SystemUnderTest) -> None:
    metrics = system.http.get("/metrics").json()["metrics"]
    assert metrics["replicas"] == 1
    assert metrics["workers_running"] == system.settings.workers


def test_whole_flow_same_event_twice_computes_once(system: SystemUnderTest) -> None:
    user, campaign, event = fresh_id("user"), fresh_id("campaign"), fresh_id("event")
    data = {"campaign_id": campaign, "brief": "tea for calm mornings"}
    first = system.publish("campaign.created", user, data, event_id=event)
    second = system.publish("campaign.created", user, data, event_id=event)

    assert [job.id for job in first] == [job.id for job in second]
    ended = system.ended(first)
    assert ended["campaign_analytics"]["status"] == "completed"
    computed = [e for e in ended["campaign_analytics"]["timeline"] if e["status"] == "completed"]
    assert len(computed) == 1
    answer = system.answer(f"campaign_analytics:campaign:{campaign}")
    assert answer is not None
    assert answer["job_id"] == first[-1].id
    acted = system.publish("user.acted", user, {"action": "view_dashboard"})
    assert acted == []
