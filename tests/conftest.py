"""What tests share: a real broker and a real cache, started once and only when somebody asks."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis

from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey
from tests.containers import engine_answers, kafka_container, valkey_container

_ROOT = Path(__file__).resolve().parent.parent
#: Valkey's own default is 16; each test takes the next one.
_DATABASES = 64


class Broker(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


class Cache(Protocol):
    @property
    def url(self) -> str: ...


@pytest.fixture(scope="session")
def kafka_handle() -> Iterator[Broker]:
    """The session's broker; a test that stops or kills a broker takes `own_kafka`."""
    with kafka_container() if engine_answers() else LocalKafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(kafka_handle: Broker) -> str:
    """Bootstrap servers of the session's broker."""
    return kafka_handle.bootstrap_servers


@pytest.fixture(scope="session")
def valkey_handle() -> Iterator[Cache]:
    """The session's cache; a test that stops or kills a cache takes `own_valkey`."""
    local = LocalValkey(config={"databases": str(_DATABASES)})
    with valkey_container() if engine_answers() else local as cache:
        yield cache


@pytest.fixture(scope="session")
def valkey(valkey_handle: Cache) -> str:
    """URL of the session's cache, database 0."""
    return valkey_handle.url


@pytest.fixture(scope="session")
def next_database() -> Callable[[], int]:
    """Numbers 1, 2, ... and round again; 0 is left alone."""
    numbers = itertools.cycle(range(1, 16 if engine_answers() else _DATABASES))
    return lambda: next(numbers)


@pytest.fixture
def redis_url(valkey: str, next_database: Callable[[], int]) -> str:
    """An empty database of the session's cache for this test alone."""
    url = urlunsplit(urlsplit(valkey)._replace(path=f"/{next_database()}"))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def prefix() -> str:
    """Begins the names of this test's topics and groups."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def own_kafka() -> Iterator[LocalKafka]:
    """A broker of this test's own, to be stopped, killed and started again."""
    with LocalKafka() as broker:
        yield broker


@pytest.fixture
def own_valkey() -> Iterator[LocalValkey]:
    """A cache of this test's own, to be stopped, killed and started again."""
    with LocalValkey() as cache:
        yield cache


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Files next to the repository that some tests compare with."""
    path = _ROOT.parent / "shared"
    if not path.is_dir():
        message = f"{path} is not there: what this test compares with is not part of the repository"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path
