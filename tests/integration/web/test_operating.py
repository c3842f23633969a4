"""Jobs, dead letters, workers: what operators do, and that it stands in the audit log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from streams.cache.names import RedisNames
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

Computed = Callable[[str], dict[str, Any]]


def job_of(api: httpx.Client, key: str, status: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: list[dict[str, Any]] = api.get("/jobs", params={"key": key, "status": status}).json()["jobs"]
        return found[0] if found else None

    return wait_until(look, what=f"a {status} job for {key}")


def ended(api: httpx.Client, job_id: str) -> dict[str, Any] | None:
    job: dict[str, Any] = api.get(f"/jobs/{job_id}").json()["job"]
    return job if job["status"] in {"completed", "skipped", "failed"} else None


def audited(api: httpx.Client, action: str, target: str) -> bool:
    entries = api.get("/audit", params={"limit": 100}).json()["entries"]
    return any(one["action"] == action and target in one["target"] for one in entries)


def test_jobs_are_found_page_by_page(api: httpx.Client, user: str, computed: Computed) -> None:
    for number in range(5):
        computed(f"{user}-{number}")
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2, "task": "dashboard_data"}
    for _ in range(100):
        page = api.get("/jobs", params=params).json()
        seen += [job["id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert len(seen) == len(set(seen)) >= 5


@pytest.mark.parametrize("cursor", ["x", "e30", "bnVsbA", "%%%", "W10" * 100, "eyJhdCI6IngifQ"])
def test_a_forged_cursor_is_refused(api: httpx.Client, cursor: str) -> None:
    for path in ("/jobs", "/dlq"):
        assert api.get(path, params={"cursor": cursor}).status_code == 400


def test_an_ended_job_is_retried_as_a_new_one(api: httpx.Client, user: str, computed: Computed) -> None:
    computed(user)
    old = job_of(api, f"dashboard_data:user:{user}", "completed")
    answer = api.post(f"/jobs/{old['id']}/retry")
    assert answer.status_code == 202
    new_id = answer.json()["job_id"]
    assert new_id != old["id"]
    assert audited(api, "retry", old["id"])
    # Computed again although its answer is fresh, and still counted as what it was asked for first.
    again = wait_until(lambda: ended(api, new_id), what="the end of the new job")
    assert (again["status"], again["priority"], again["why"]) == ("completed", 9, old["why"])


def test_a_job_nobody_knows_is_a_404(api: httpx.Client) -> None:
    for path in ("retry", "cancel"):
        assert api.post(f"/jobs/{'0' * 24}/{path}").status_code == 404
    assert api.get("/jobs/short").status_code == 422


def test_a_queued_job_is_cancelled_and_not_run(live: SystemUnderTest, api: httpx.Client, user: str) -> None:
    key = f"dashboard_data:user:{user}"
    assert api.post("/workers/*/quiet").json()["quiet"] is True
    try:
        wait_until(
            lambda: all(w["quiet"] for w in api.get("/workers").json()["workers"]), what="quiet workers"
        )
        api.get(f"/cache/{key}", params={"on_miss": "compute"})
        queued = job_of(api, key, "queued")
        assert api.post(f"/jobs/{queued['id']}/cancel").json()["status"] == "cancelled"
        assert api.post(f"/jobs/{queued['id']}/cancel").status_code == 409
    finally:
        api.post("/workers/*/resume")
    wait_until(
        lambda: not any(w["quiet"] for w in api.get("/workers").json()["workers"]), what="workers again"
    )
    other = api.get(f"/cache/dashboard_data:user:{user}-after", headers={"Prefer": "wait=15"})
    assert other.status_code == 200
    assert api.get(f"/cache/{key}").status_code == 404
    assert job_of(api, key, "cancelled")["id"] == queued["id"]
    assert audited(api, "cancel", queued["id"])


def test_bulk_actions_count_first(api: httpx.Client, user: str) -> None:
    answer = api.post("/jobs/bulk/retry", params={"user": user}).json()
    assert answer == {"success": True, "action": "retry", "dry_run": True, "jobs": 0}
    assert api.post("/jobs/bulk/explode").status_code == 422


def test_a_dead_letter_is_listed_and_replayed(live: SystemUnderTest, api: httpx.Client, user: str) -> None:
    key = f"dashboard_data:user:{user}"
    job = {
        "id": "d" * 24, "task": "dashboard_data", "key": key, "entity": "user", "entity_id": user,
        "user_id": user,
        "priority": 8, "why": "upload", "created_at": int(time.time() * 1000), "input_version": 1,
        "payload": {"account": 5},
    }  # fmt: skip
    headers = [
        ("precompute-reason", b"attempts_spent"),
        ("precompute-error", b"no luck"),
        ("traceparent", b"t"),
    ]
    live.send(live.topics.jobs_dlq, json.dumps({**job, "payload": {}}).encode(), key, headers)
    live.flush()

    def look() -> dict[str, Any] | None:
        letters = api.get("/dlq", params={"reason": "attempts_spent", "payload": True}).json()["letters"]
        return next((one for one in letters if one["key"] == key), None)

    letter = wait_until(look, what="the letter")
    assert letter["error"] == "no luck"
    assert json.loads(letter["payload"])["key"] == key
    dry = api.post("/dlq/replay", json={"letters": [letter["place"]], "dry_run": True}).json()
    assert dry["letters"] == [letter["place"]]
    replayed = api.post("/dlq/replay", json={"letters": [letter["place"]]}).json()
    assert replayed["replayed"] == 1
    assert replayed["letters"][0]["replayed_as"] != job["id"]
    wait_until(lambda: api.get(f"/cache/{key}").status_code == 200, what="the replayed job's answer")
    assert look()["replayed_at"] is not None  # type: ignore[index]
    assert audited(api, "replay", letter["place"])


def test_a_letter_that_is_no_job_is_said_to_be_none(
    live: SystemUnderTest, api: httpx.Client, user: str
) -> None:
    live.send(live.topics.jobs_dlq, b"not a job", user, [("precompute-reason", b"schema")])
    live.flush()

    def look() -> dict[str, Any] | None:
        letters = api.get("/dlq").json()["letters"]
        return next((one for one in letters if one["key"] == user), None)

    letter = wait_until(look, what="the letter")
    answer = api.post("/dlq/replay", json={"letters": [letter["place"]]}).json()
    assert answer["replayed"] == 0
    assert "not a job" in answer["letters"][0]["problem"]


def test_a_dropped_letter_is_listed_no_more_and_no_filter_finds_it(
    live: SystemUnderTest, api: httpx.Client, user: str
) -> None:
    for number in range(2):
        live.send(live.topics.jobs_dlq, b"{}", f"{user}-{number}", [("precompute-reason", b"droppable")])
    live.flush()

    def look(**params: Any) -> list[dict[str, Any]]:
        letters = api.get("/dlq", params={"reason": "droppable", **params}).json()["letters"]
        return [one for one in letters if one["key"].startswith(user)]

    letters = wait_until(lambda: found if len(found := look()) == 2 else None, what="the letters")
    place = letters[0]["place"]
    dry = api.post("/dlq/drop", json={"letters": [place], "dry_run": True}).json()
    assert (dry["dropped"], dry["letters"], len(look())) == (1, [place], 2)

    assert api.post("/dlq/drop", json={"letters": [place]}).json()["dropped"] == 1
    assert [one["place"] for one in look()] == [letters[1]["place"]]
    assert [one["dropped_at"] is not None for one in look(dropped=True)] == [True, False]
    assert audited(api, "drop", place)

    by_reason = {"reason": "droppable", "dry_run": True}
    assert place not in api.post("/dlq/replay", json=by_reason).json()["letters"]
    assert api.post("/dlq/replay", json={"letters": [place], "dry_run": True}).json()["letters"] == [place]


@pytest.mark.parametrize("path", ["/dlq/replay", "/dlq/drop"])
@pytest.mark.parametrize("body", [{}, {"letters": ["x"]}, {"letters": ["../../0/0"]}, {"source": "moon"}])
def test_letters_that_nothing_names_are_refused(api: httpx.Client, body: dict[str, Any], path: str) -> None:
    assert api.post(path, json=body).status_code == 422


def test_what_nobody_read_is_counted_once(
    live: SystemUnderTest, api: httpx.Client, cache: redis.Redis, names: RedisNames, user: str
) -> None:
    cache.zadd(names.unread("roas_prediction"), {f"roas_prediction:campaign:{user}": 1})
    before = api.get("/predictor").json()["worth"]["expired_unread"]
    wait_until(
        lambda: api.get("/predictor").json()["worth"]["expired_unread"] == before + 1, what="the count"
    )
    assert cache.zcard(names.unread("roas_prediction")) == 0
