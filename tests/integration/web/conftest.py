"""One worker and one API for all tests of the HTTP side; each test takes ids of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis

from streams.cache.names import RedisNames
from tests.support.system import SystemUnderTest

_numbers = itertools.count()


@pytest.fixture(scope="session")
def live(kafka: str, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemUnderTest]:
    with SystemUnderTest(tmp_path_factory.mktemp("web"), kafka, valkey) as running:
        running.start("worker", "api")
        yield running


@pytest.fixture
def api(live: SystemUnderTest) -> httpx.Client:
    return live.http


@pytest.fixture
def user() -> str:
    """A user that no other test knows."""
    return f"web-user-{next(_numbers)}"


@pytest.fixture
def names(live: SystemUnderTest) -> RedisNames:
    return RedisNames(live.settings.namespace)


@pytest.fixture
def cache(live: SystemUnderTest) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(live.settings.redis_url.get_secret_value()) as client:
        yield client


@pytest.fixture
def computed(api: httpx.Client) -> Callable[[str], dict[str, object]]:
    """Has a user's dashboard computed and answers its body."""

    def compute(user: str) -> dict[str, object]:
        response = api.get(f"/cache/dashboard_data:user:{user}", headers={"Prefer": "wait=15"})
        assert response.status_code == 200, response.text
        body: dict[str, object] = response.json()
        return body

    return compute
