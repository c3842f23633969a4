from __future__ import annotations

import pytest
import redis.asyncio as aioredis
from cache_samples import TTL_MS, fresh_key, job, stored

from streams.cache.codec import encode_stored
from streams.cache.connection import connect
from streams.cache.invalidation import Invalidator
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.contracts.clock import ManualClock, millis
from streams.contracts.errors import UnavailableError
from streams.contracts.keys import CacheKey, KeyPattern
from streams.contracts.results import State
from streams.contracts.tasks import BUILTIN_TASKS
from streams.settings import Settings


@pytest.fixture
def reader(client: aioredis.Redis, names: RedisNames, clock: ManualClock) -> AnswerReader:
    return AnswerReader(client, names, clock)


async def put(client: aioredis.Redis, names: RedisNames, clock: ManualClock, **fields: object) -> CacheKey:
    key = fresh_key()
    now = millis(clock.now())
    one = stored(job(key), started_at=now, expires_at=now + TTL_MS, **fields)  # type: ignore[arg-type]
    await client.set(names.result(str(key)), encode_stored(one))
    return key


async def test_fresh_until_its_time_and_stale_after_it(
    reader: AnswerReader, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    key = await put(client, names, clock, result={"ctr": 0.5})
    fresh = await reader.read(key)
    assert fresh is not None
    assert (fresh.state, fresh.result, fresh.age_s) == (State.FRESH, {"ctr": 0.5}, 0.0)
    clock.advance(TTL_MS / 1000)
    stale = await reader.read(key)
    assert stale is not None
    assert (stale.state, stale.age_s, stale.etag) == (State.STALE, TTL_MS / 1000, fresh.etag)


async def test_unavailable_says_why(
    reader: AnswerReader, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    found = await reader.read(await put(client, names, clock, reason="unreadable"))
    assert found is not None
    assert (found.state, found.reason, found.result) == (State.UNAVAILABLE, "unreadable", None)


async def test_a_tag_follows_the_result_and_not_its_age(
    reader: AnswerReader, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    first = await put(client, names, clock, result=1)
    clock.advance(10.0)
    same, other = await put(client, names, clock, result=1), await put(client, names, clock, result=2)
    tags = [found.etag for found in await reader.read_many([first, same, other]) if found]
    assert tags[0] == tags[1] != tags[2]


async def test_many_keys_in_their_order_and_none_where_there_is_nothing(
    reader: AnswerReader, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    keys = [await put(client, names, clock, result=n) for n in range(3)]
    found = await reader.read_many([keys[2], fresh_key(), keys[0]])
    assert [one.result if one else None for one in found] == [2, None, 0]
    assert await reader.read_many([]) == []


async def test_foreign_bytes_are_no_answer(
    reader: AnswerReader, client: aioredis.Redis, names: RedisNames
) -> None:
    key = fresh_key()
    for junk in (b"", b"{}", b"\x80" * 500, b"1z" + b"9" * 80):
        await client.set(names.result(str(key)), junk)
        assert await reader.read(key) is None


async def test_a_wide_invalidation_hides_answers_even_before_they_are_removed(
    reader: AnswerReader, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    """An answer that is in no index, as one written while the sweep ran."""
    key = await put(client, names, clock)
    await Invalidator(client, names, BUILTIN_TASKS, clock).invalidate(KeyPattern(task=key.task))
    assert await client.exists(names.result(str(key)))
    assert await reader.read(key) is None
    clock.advance(0.001)
    assert await reader.read(await put(client, names, clock)) is not None


async def test_a_broken_cache_is_an_error_and_no_wait(names: RedisNames, clock: ManualClock) -> None:
    client = connect(Settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(UnavailableError, match="does not answer"):
        await AnswerReader(client, names, clock).read(fresh_key())
    await client.aclose()
