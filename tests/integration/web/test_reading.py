"""GET /cache and what belongs to it, through a live API and worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.waiting import wait_until

Computed = Callable[[str], dict[str, object]]


def key_of(user: str) -> str:
    return f"dashboard_data:user:{user}"


def test_a_miss_is_a_problem_that_says_what_to_do(api: httpx.Client, user: str) -> None:
    response = api.get(f"/cache/{key_of(user)}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert "on_miss=compute" in response.json()["detail"]


def test_a_miss_is_computed_while_the_reader_waits(api: httpx.Client, user: str) -> None:
    response = api.get(f"/cache/{key_of(user)}", headers={"Prefer": "respond-async, wait=15"})
    assert response.status_code == 200
    assert response.headers["preference-applied"] == "wait=15"
    body = response.json()
    assert (body["cached"], body["state"], body["why"]) == (True, "fresh", "demand")


def test_a_miss_is_asked_for_without_waiting(api: httpx.Client, user: str) -> None:
    response = api.get(f"/cache/{key_of(user)}", params={"on_miss": "compute"})
    assert response.status_code == 202
    assert response.headers["retry-after"]
    shown = api.get(response.headers["location"].removeprefix("/api/precompute"))
    assert shown.json()["job"]["key"] == key_of(user)


def test_readers_of_the_same_missing_key_share_one_job(api: httpx.Client, user: str) -> None:
    def read(_: int) -> str:
        response = api.post("/demand", json={"keys": [key_of(user)], "urgent": True})
        return str(response.json()["jobs"][0]["job_id"])

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(read, range(16)))
    assert len(ids) == 1


@pytest.mark.parametrize(("urgent", "expected"), [(True, ("demand", 10)), (False, ("refresh", 3))])
def test_a_reader_may_want_a_fresh_answer_again(
    api: httpx.Client, user: str, computed: Computed, urgent: bool, expected: tuple[str, int]
) -> None:
    first = computed(user)
    # Whoever asks again a moment later joins the first demand.
    body = {"keys": [key_of(user)], "refresh": True, "urgent": urgent}
    asked = wait_until(lambda: _asked_anew(api, body), what="a job of its own")
    wait_until(lambda: computed(user)["job_id"] == asked["job_id"], what="the new answer")
    again = api.get(f"/jobs/{asked['job_id']}").json()["job"]
    assert (again["why"], again["priority"]) == expected
    assert asked["job_id"] != first["job_id"]


def _asked_anew(api: httpx.Client, body: dict[str, object]) -> dict[str, object] | None:
    asked: dict[str, object] = api.post("/demand", json=body).json()["jobs"][0]
    return None if asked["joined"] else asked


def test_an_entity_nobody_published_is_said_to_be_unknown(api: httpx.Client, user: str) -> None:
    response = api.get(f"/cache/ctr_prediction:video:{user}", params={"on_miss": "compute"})
    assert (response.status_code, response.json()["reason"]) == (404, "unknown_entity")
    asked = api.post("/demand", json={"keys": [f"ctr_prediction:video:{user}"]}).json()["jobs"]
    assert asked[0]["job_id"] is None


def test_a_front_end_may_keep_and_revalidate(api: httpx.Client, user: str, computed: Computed) -> None:
    tag = f'"{computed(user)["etag"]}"'
    response = api.get(f"/cache/{key_of(user)}", headers={"If-None-Match": f'"other", W/{tag}'})
    assert response.status_code == 304
    assert not response.content
    assert response.headers["etag"] == tag
    full = api.get(f"/cache/{key_of(user)}", headers={"If-None-Match": '"other"'})
    assert full.status_code == 200
    assert "max-age=" in full.headers["cache-control"]
    assert int(full.headers["age"]) >= 0


def test_an_invalidated_answer_is_asked_for_anew(api: httpx.Client, user: str, computed: Computed) -> None:
    first = computed(user)
    assert api.delete("/cache", params={"pattern": key_of(user)}).json()["invalidated"] == 1
    assert api.get(f"/cache/{key_of(user)}").status_code == 404
    assert computed(user)["job_id"] != first["job_id"]


def test_invalidation_previews_and_confirms(api: httpx.Client, user: str, computed: Computed) -> None:
    computed(user)
    dry = api.delete("/cache", params={"pattern": f"*:user:{user}", "dry_run": True}).json()
    assert (dry["invalidated"], dry["would_invalidate"]) == (0, 1)
    assert api.get(f"/cache/{key_of(user)}").status_code == 200
    assert api.delete("/cache", params={"pattern": "*"}).status_code == 400
    assert api.request("DELETE", "/cache", json={"pattern": f"*:user:{user}"}).json()["invalidated"] == 1


@pytest.mark.parametrize(
    "key",
    [
        "no",
        "a:b:c",
        "dashboard_data:video:u1",
        "dashboard_data:user:",
        "dashboard_data:user:*",
        "dashboard_data:user:" + "x" * 10_000,
        "dashboard_data:user:%00",
        "dashboard_data:user:a%0Ab",
        "%2e%2e/%2e%2e/etc/passwd",
        "dashboard_data:user:%F0%9F%98%80",
        "dashboard_data:user:a:b",
    ],
)
def test_a_key_of_the_wrong_shape_is_a_4xx_problem(api: httpx.Client, key: str) -> None:
    response = api.get(f"/cache/{key}")
    assert 400 <= response.status_code < 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["success"] is False


@pytest.mark.parametrize(
    "pattern", ["", "**", "*:*:*", "dashboard_data:*:u1", "nothing:*", "*:planet:x", "x" * 600]
)
def test_a_pattern_of_the_wrong_shape_is_refused(api: httpx.Client, pattern: str) -> None:
    response = api.delete("/cache", params={"pattern": pattern})
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"
