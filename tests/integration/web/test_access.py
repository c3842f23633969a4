"""Keys, scopes, limits, read-only mode: an API that asks for keys."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator

import httpx
import pytest
import redis.asyncio as aioredis

from streams.cache.names import RedisNames
from streams.contracts.errors import ConfigurationError
from streams.settings import load_settings
from streams.web.app import check_access, create_app
from streams.web.callers import Scope
from streams.web.gate import asks_for_keys, right_for
from streams.web.keys import KeyStore
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def guarded(kafka: str, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemUnderTest]:
    folder = tmp_path_factory.mktemp("guarded")
    with SystemUnderTest(folder, kafka, valkey, auth="required", rate_limit="20") as running:
        running.key = make_key(running, [Scope.READ])  # type: ignore[attr-defined]
        running.start("api")
        yield running


def store_of(system: SystemUnderTest) -> KeyStore:
    redis = aioredis.Redis.from_url(system.settings.redis_url.get_secret_value())
    return KeyStore(redis, RedisNames(system.settings.namespace))


def make_key(system: SystemUnderTest, scopes: list[Scope]) -> str:
    async def make() -> str:
        store = store_of(system)
        try:
            return (await store.create("test", scopes))[1]
        finally:
            await store._redis.aclose()

    return asyncio.run(make())


def as_bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_without_a_key_nothing_is_given(guarded: SystemUnderTest) -> None:
    for headers in ({}, as_bearer("wrong"), as_bearer("pck_000000000000_x"), {"X-API-Key": "é"}):
        encoded = {name: value.encode() for name, value in headers.items()}
        response = guarded.http.get("/jobs", headers=encoded)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
    root = str(guarded.http.base_url).removesuffix("/api/precompute/")
    assert httpx.get(f"{root}/livez", trust_env=False).status_code == 200
    console = httpx.get(f"{root}/console", trust_env=False)
    assert (console.status_code, console.headers["www-authenticate"][:5]) == (401, "Basic")


def test_a_key_gives_its_scopes_and_no_more(guarded: SystemUnderTest) -> None:
    headers = as_bearer(make_key(guarded, [Scope.READ]))
    assert guarded.http.get("/jobs", headers=headers).status_code == 200
    refused = guarded.http.delete("/cache", params={"pattern": "ctr_prediction:*"}, headers=headers)
    assert (refused.status_code, refused.json()["scope"]) == (403, "operate")
    body = {"user_id": "u1"}
    assert guarded.http.post("/login", json=body, headers=headers).status_code == 403
    publisher = as_bearer(make_key(guarded, [Scope.PUBLISH]))
    assert guarded.http.post("/login", json=body, headers=publisher).status_code == 202
    assert guarded.http.get("/jobs", headers=publisher).status_code == 403


def test_a_browser_gives_the_key_as_its_password(guarded: SystemUnderTest) -> None:
    key = make_key(guarded, [Scope.READ])
    root = str(guarded.http.base_url).removesuffix("/api/precompute/")
    basic = {"Authorization": "Basic " + base64.b64encode(f"me:{key}".encode()).decode()}
    page = httpx.get(f"{root}/console/workers", headers=basic, trust_env=False)
    assert page.status_code == 200
    assert "Quiet all" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_a_caller_that_asks_too_often_is_told_when_to_come_again(guarded: SystemUnderTest) -> None:
    headers = as_bearer(make_key(guarded, [Scope.READ]))
    answers = [guarded.http.get("/cache/no", headers=headers) for _ in range(60)]
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert int(refused[0].headers["retry-after"]) >= 1
    other = as_bearer(make_key(guarded, [Scope.READ]))
    assert guarded.http.get("/cache/no", headers=other).status_code == 400


def test_a_revoked_key_ends(guarded: SystemUnderTest) -> None:
    key = make_key(guarded, [Scope.READ])
    assert guarded.http.get("/jobs", headers=as_bearer(key)).status_code == 200

    async def revoke() -> bool:
        store = store_of(guarded)
        try:
            return await store.revoke(key.split("_")[1])
        finally:
            await store._redis.aclose()

    assert asyncio.run(revoke())

    def is_refused() -> bool:
        return guarded.http.get("/metrics", headers=as_bearer(key)).status_code == 401

    wait_until(is_refused, what="the key's end")


def test_only_a_hash_of_a_key_is_kept(guarded: SystemUnderTest) -> None:
    key = make_key(guarded, [Scope.READ])

    async def dump() -> bytes:
        async with aioredis.Redis.from_url(guarded.settings.redis_url.get_secret_value()) as redis:
            found = await redis.hgetall(RedisNames(guarded.settings.namespace).api_keys)
            return b"".join(found.values())

    assert key.split("_", 2)[2].encode() not in asyncio.run(dump())


def test_a_read_only_system_changes_nothing(
    kafka: str, valkey: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with SystemUnderTest(tmp_path_factory.mktemp("ro"), kafka, valkey, read_only="true") as system:
        system.start("api")
        assert system.http.get("/jobs").status_code == 200
        assert system.http.delete("/cache", params={"pattern": "ctr_prediction:*"}).status_code == 403
        root = str(system.http.base_url).removesuffix("/api/precompute/")
        for screen in ("jobs", "cache", "workers", "letters"):
            page = httpx.get(f"{root}/console/{screen}", trust_env=False).text
            assert "read-only" in page
            assert "/console/confirm" not in page
        assert httpx.get(f"{root}/console/confirm?act=quiet", trust_env=False).status_code == 403


@pytest.mark.parametrize(
    ("host", "auth", "asks"),
    [
        ("127.0.0.1", "on", False),
        ("::1", "on", False),
        ("localhost", "on", False),
        ("127.0.0.1", "required", True),
        ("0.0.0.0", "on", True),
        ("0.0.0.0", "off", False),
        ("api.internal", "on", True),
    ],
)
def test_keys_are_asked_for_beyond_loopback(host: str, auth: str, asks: bool) -> None:
    assert asks_for_keys(load_settings(host=host, auth=auth)) is asks


async def test_an_open_bind_without_keys_does_not_start(redis_url: str) -> None:
    settings = load_settings(host="0.0.0.0", redis_url=redis_url, metrics_port=0)
    app = create_app(settings)
    with pytest.raises(ConfigurationError, match="keys create"):
        await check_access(settings, app.state.services)
    await app.state.services.redis.aclose()


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/precompute/cache/x", Scope.READ),
        ("POST", "/api/precompute/demand", Scope.READ),
        ("POST", "/api/precompute/video", Scope.PUBLISH),
        ("POST", "/api/precompute/videos", Scope.OPERATE),
        ("DELETE", "/api/precompute/cache", Scope.OPERATE),
        ("POST", "/console/do", Scope.OPERATE),
        ("PUT", "/anything", Scope.OPERATE),
    ],
)
def test_what_is_not_listed_needs_the_most(method: str, path: str, scope: Scope) -> None:
    assert right_for(method, path) is scope
