from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis

from streams.cache.connection import connect
from streams.cache.names import RedisNames
from streams.contracts.clock import ManualClock
from streams.settings import Settings


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    """The project's own client of a real cache, on an empty database."""
    client = connect(Settings(redis_url=redis_url))
    yield client
    await client.aclose()


@pytest.fixture
def names() -> RedisNames:
    return RedisNames("t")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
