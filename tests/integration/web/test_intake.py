"""Bodies: events, batches, and everything that is not what it should be."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.waiting import wait_until


def video(user: str) -> dict[str, object]:
    return {"video_id": "v1", "user_id": user, "video_data": {"uri": "file:///nowhere/v1.mp4"}}


def test_an_upload_names_its_jobs(api: httpx.Client, user: str) -> None:
    response = api.post("/video", json=video(user))
    assert response.status_code == 202
    body = response.json()
    assert body["tasks_queued"] == len(set(body["task_ids"])) == 6


def test_the_same_request_twice_is_done_once(api: httpx.Client, user: str) -> None:
    headers = {"Idempotency-Key": f"key-{user}"}
    first = api.post("/video", json=video(user), headers=headers)
    again = api.post("/video", json=video(user), headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = api.post("/video", json=video(user + "-b"), headers=headers)
    assert other.status_code == 422


def test_an_idempotency_key_of_the_wrong_shape_is_refused(api: httpx.Client, user: str) -> None:
    assert api.post("/video", json=video(user), headers={"Idempotency-Key": "a b"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 422),
        (b"\xff\xfe", 400),
        (b'{"video_id": 1, "user_id": "u", "video_data": {}}', 422),
        (b'{"video_id": "v", "user_id": "a b", "video_data": {}}', 422),
        (b'{"video_id": "v", "user_id": "u", "video_data": {}}', 422),
        (b'{"video_id": "v", "user_id": "u", "video_data": {"uri": "\\ud800"}}', 422),
        (b'{"video_id": "v", "user_id": "u", "video_data": ' + b'{"a":' * 100 + b"1" + b"}" * 101, 422),
        (b'{"video_id": "v", "user_id": "u", "video_data": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400),
        (b'{"video_id": "v", "user_id": "u", "video_data": ' + b'{"a":' * 100_000, 400),
        (b'{"video_id": "v", "user_id": "u", "video_data": {"uri": "x", "duration_s": 1e400}}', 422),
    ],
)
def test_a_body_that_is_no_event_is_a_4xx_problem(api: httpx.Client, body: bytes, status: int) -> None:
    response = api.post("/video", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(api: httpx.Client) -> None:
    response = api.post("/video", content=b" " * (3 * 1024 * 1024))
    assert response.status_code == 413
    chunks = (b" " * 65_536 for _ in range(48))
    assert api.post("/video", content=chunks).status_code == 413


def test_headers_and_paths_have_bounds(api: httpx.Client) -> None:
    assert api.get("/metrics", headers={"X-Long": "x" * 20_000}).status_code == 431
    assert api.get("/jobs", params={"user": "x" * 5_000}).status_code == 414


def test_other_origins_and_other_names_are_refused(api: httpx.Client, user: str) -> None:
    assert api.post("/video", json=video(user), headers={"Origin": "https://evil.test"}).status_code == 403
    assert api.post("/video", json=video(user), headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert api.get("/metrics", headers={"Host": "evil.test"}).status_code == 421
    assert (
        "access-control-allow-origin" not in api.get("/metrics", headers={"Origin": "https://x.test"}).headers
    )


def test_every_answer_carries_a_request_id(api: httpx.Client) -> None:
    assert api.get("/metrics", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert api.get("/cache/no", headers={"X-Request-Id": "a b"}).headers["x-request-id"] not in ("", "a b")


def test_a_client_that_says_nothing_holds_nobody_up(api: httpx.Client) -> None:
    where = urlsplit(str(api.base_url))
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as slow:
        slow.sendall(
            b"POST /api/precompute/video HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{"
        )
        assert api.get("/metrics").status_code == 200


class TestBatches:
    def test_rows_become_jobs_and_answers(self, api: httpx.Client, user: str) -> None:
        rows = "".join(f'{{"task": "dashboard_data", "id": "{user}-{i}"}}\n' for i in range(20))
        created = api.post("/batch", content=rows + f'{{"key": "ctr_prediction:video:{user}"}}\n')
        assert created.status_code == 202, created.text
        batch_id = created.json()["batch"]["id"]

        def ended() -> dict[str, object] | None:
            found: dict[str, object] = api.get(f"/batch/{batch_id}").json()["batch"]
            return found if found["state"] == "emitted" and found["answered"] == 20 else None

        assert wait_until(ended, what="the batch")["unknown"] == 1
        job = api.get("/jobs", params={"key": f"dashboard_data:user:{user}-3"}).json()["jobs"][0]
        assert (job["why"], job["priority"]) == ("batch", 5)

    def test_the_cost_is_known_before(self, api: httpx.Client, user: str) -> None:
        row = f'{{"key": "dashboard_data:user:{user}"}}'
        answer = api.post("/batch", params={"dry_run": True}, content=row)
        assert answer.status_code == 200
        assert answer.json()["estimate"]["rows"] == 1

    @pytest.mark.parametrize(
        "body", [b"", b"\n\n", b"not json", b"{}", b'{"key": "nothing:at:all"}', b"\xff", b"[" * 5000]
    )
    def test_rows_that_are_wrong_are_named(self, api: httpx.Client, body: bytes) -> None:
        answer = api.post("/batch", content=body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"

    def test_an_unknown_batch_is_a_404(self, api: httpx.Client) -> None:
        assert api.get("/batch/" + "0" * 16).status_code == 404
