from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import redis.asyncio as aioredis
from ingest_samples import Stream, record, upload

from streams.cache.connection import connect
from streams.cache.inputs import MirrorReader
from streams.cache.ledger import JobLedger
from streams.cache.names import RedisNames
from streams.contracts.errors import UnavailableError
from streams.contracts.tasks import BUILTIN_TASKS
from streams.ingest import mirror as mirror_module
from streams.ingest.effects import Effects
from streams.ingest.mirror import Mirror, TableRows
from streams.ingest.state import InputRow
from streams.local.valkey import LocalValkey
from streams.settings import Settings

NAMES = RedisNames("m")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHECK_EVERY_S", "RETRY_AFTER_S", "FLUSH_EVERY_S"):
        monkeypatch.setattr(mirror_module, name, 0.005)


def make(client: aioredis.Redis, stream: Stream) -> Mirror:
    mirror = Mirror(client, NAMES, BUILTIN_TASKS, JobLedger(client, NAMES, ttl_s=60.0))
    mirror.rows = lambda: TableRows(stream.users, stream.inputs)
    return mirror


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
async def mirror(client: aioredis.Redis, stream: Stream) -> AsyncIterator[Mirror]:
    one = make(client, stream)
    await one.start()
    yield one
    await one.stop()


async def until(look: Callable[[], object], what: str) -> None:
    """Waits until the coroutine's answer is true, at most ten seconds."""
    pause = asyncio.Event()
    try:
        async with asyncio.timeout(10.0):
            while not await look():  # type: ignore[misc]
                try:
                    await asyncio.wait_for(pause.wait(), 0.01)
                except TimeoutError:
                    continue
    except TimeoutError:
        raise AssertionError(f"{what} did not come") from None


async def test_readers_see_histories_inputs_and_predictions(
    mirror: Mirror, stream: Stream, client: aioredis.Redis
) -> None:
    reader = MirrorReader(client, NAMES)
    effects = stream.process(upload("v1"), record("user.logged_in"))
    mirror.take(effects)
    await until(lambda: reader.predictions("u1"), "the mirrored prediction")
    assert [action.name for action in await reader.history("u1")] == stream.names()
    found = await reader.input("video", "v1")
    assert found is not None
    assert (found.user_id, b"file:///a.mp4" in bytes(found.payload)) == ("u1", True)
    assert found.input_version == effects.jobs[0].job.input_version
    assert await reader.inputs("video", ["v1", "v2"]) == [found, None]


async def test_inputs_that_are_no_longer_kept_go(mirror: Mirror, client: aioredis.Redis) -> None:
    reader, small = MirrorReader(client, NAMES), Stream(most_entities=1)
    mirror.take(small.process(upload("v1")))
    await until(lambda: reader.input("video", "v1"), "the first input")
    mirror.take(small.process(upload("v2")))
    await until(lambda: reader.input("video", "v2"), "the second input")
    assert await reader.input("video", "v1") is None


async def test_a_deletion_may_be_written_by_two_flushes_at_once(
    mirror: Mirror, client: aioredis.Redis
) -> None:
    mirror.take(Effects(inputs={"video:v1": None}))
    await asyncio.gather(mirror._flush(), mirror._flush())
    assert mirror.failed is not None
    assert not mirror.failed.done()


async def test_without_redis_everything_waits_and_nothing_is_lost(own_valkey: LocalValkey) -> None:
    client, stream = connect(Settings(redis_url=own_valkey.url)), Stream()
    mirror, reader = make(client, stream), MirrorReader(client, NAMES)
    await mirror.start()
    own_valkey.stop()
    mirror.take(stream.process(upload("v1")))
    with pytest.raises(UnavailableError):
        await reader.input("video", "v1")
    assert not await mirror._flush()
    own_valkey.start()
    await until(lambda: reader.input("video", "v1"), "the input after the outage")
    await mirror.stop()
    await client.aclose()


async def test_after_redis_lost_its_data_the_tables_are_written_again(
    mirror: Mirror, stream: Stream, client: aioredis.Redis
) -> None:
    reader = MirrorReader(client, NAMES)
    mirror.take(stream.process(upload("v1")))
    await until(lambda: reader.input("video", "v1"), "the input")
    await client.flushdb()
    await until(lambda: reader.input("video", "v1"), "the input written again")
    await until(lambda: reader.history("u1"), "the history written again")


async def test_what_a_process_that_died_had_not_written_comes_at_the_start(
    stream: Stream, client: aioredis.Redis
) -> None:
    await client.set(NAMES.mirror_marker, "another process has been here")
    stream.process(upload("v1"))
    one, reader = make(client, stream), MirrorReader(client, NAMES)
    await one.start()
    await until(lambda: reader.input("video", "v1"), "the input of the process before")
    await client.delete(NAMES.input("video", "v1"))
    one.write_again()
    await until(lambda: reader.input("video", "v1"), "the input after a rebalance")
    await one.stop()


async def test_writing_again_does_not_undo_what_came_meanwhile(
    stream: Stream, client: aioredis.Redis
) -> None:
    mirror = make(client, stream)
    stream.process(upload("v1"), upload("v2"))
    rows = mirror._everything(mirror.rows())
    next(rows)
    stream.process(upload("v2", data={"title": "newer"}))
    written = dict(rows)
    assert b"newer" in written[NAMES.input("video", "v2")]


async def test_more_than_fits_is_written_from_the_tables(
    mirror: Mirror, stream: Stream, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_module, "MOST_PENDING", 10)
    reader = MirrorReader(client, NAMES)
    mirror.take(stream.process(*(upload(f"v{n}") for n in range(30))))
    await until(lambda: reader.input("video", "v29"), "the last input")
    assert all(await reader.inputs("video", [f"v{n}" for n in range(30)]))


async def test_a_change_takes_old_answers_away_but_not_those_begun_since(
    mirror: Mirror, stream: Stream, client: aioredis.Redis
) -> None:
    key = "scene_detection:video:v1"
    at = 1_700_000_000_000
    for started, stays in ((at, False), (at + 1, True)):
        await client.set(NAMES.result(key), f"1p{1:019d}{started:014d}{at:014d}{'j':24}{{}}")
        mirror.take(Effects(invalidated={key: at}, inputs={"video:marker": InputRow("u1", 1, b"{}")}))
        await until(lambda: _is_done(mirror), "the invalidation")
        assert bool(await client.exists(NAMES.result(key))) == stays


async def _is_done(mirror: Mirror) -> bool:
    return not mirror._invalid
