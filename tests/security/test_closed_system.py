"""Every role works over TLS as a user that may do no more than its access list says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from streams.client import Precompute
from tests.security.closed import NAMESPACE, ROLES, Closed, ClosedSystem, password_of

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def system(closed: Closed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClosedSystem]:
    folder = tmp_path_factory.mktemp("closed")
    running = ClosedSystem(folder, closed)
    with redis.Redis.from_url(closed.cache.url) as admin:
        # Other tests try what is not allowed.
        admin.execute_command("ACL", "LOG", "RESET")
    closed.grant(running.settings)
    made = running.command("topics", "create", role="topics")
    assert made.returncode == 0, made.stderr
    try:
        running.start("streams", "worker", "api")
        yield running
    finally:
        running.__exit__()


def test_an_event_becomes_an_answer(system: ClosedSystem) -> None:
    jobs = system.publish("user.logged_in", "u1", {})
    ended = system.ended(jobs)
    assert {one["status"] for one in ended.values()} == {"completed"}
    answer = system.answer(jobs[0].key)
    assert answer is not None
    assert answer["state"] == "fresh"
    assert "dashboard_data" in ended


def test_the_api_publishes_and_its_readers_ask(system: ClosedSystem) -> None:
    accepted = system.http.post("/login", json={"user_id": "u2", "user_data": {}})
    assert accepted.status_code == 202, accepted.text
    waited = system.http.get(
        "/cache/dashboard_data:user:u3", headers={"Prefer": "wait=15"}, params={"on_miss": "compute"}
    )
    assert waited.status_code == 200, waited.text
    assert system.http.get("/queue").status_code == 200
    assert system.http.get("/dlq", params={"source": "events"}).status_code == 200


def test_the_command_line_works(system: ClosedSystem) -> None:
    published = system.command("publish", "user.logged_in", "--user", "u4", role="publisher")
    assert published.returncode == 0, published.stderr
    assert system.command("topics", "check", role="worker").returncode == 0


async def test_a_client_reads_as_a_user_that_may_only_read(system: ClosedSystem) -> None:
    jobs = system.publish("user.logged_in", "u6", {})
    system.ended(jobs)
    url = system.closed.cache.url_of("client", password_of("client"))
    async with Precompute(redis_url=url, namespace=NAMESPACE) as client:
        assert (await client.get(jobs[0].key)).state == "fresh"


def test_no_access_list_refused_anything(system: ClosedSystem) -> None:
    with redis.Redis.from_url(system.closed.cache.url) as client:
        denied = client.execute_command("ACL", "LOG")
    assert [entry for entry in denied if b"auth" not in entry.values()] == []


def test_no_secret_stands_in_a_log(system: ClosedSystem) -> None:
    secrets = [password_of(role) for role in ROLES]
    secrets += [one.replace("/", "%2F").replace("+", "%2B").replace("%20", "%2520") for one in secrets]
    logs = [path.read_text() for path in system.folder.glob("*.log")]
    assert any("streams" in text for text in logs)
    assert [secret for secret in secrets for text in logs if secret in text] == []
