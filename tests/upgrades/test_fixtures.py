"""What earlier versions wrote is read as it was meant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
import redis.asyncio as aioredis

from predictor.archive import load_meta
from predictor.snapshot import load_ngram
from streams.cache.connection import connect
from streams.contracts.jobs import Why, decode_job
from streams.settings import Settings
from streams.version import VERSION
from tests.upgrades import reading
from tests.upgrades.making import USER, make_job
from tests.upgrades.reading import StoredState
from tests.upgrades.records import FIXTURES, differences, read, unpack, versions

EVERY_VERSION = pytest.mark.parametrize("folder", versions(), ids=lambda folder: folder.name)
MODES = {"binary", "structured", "structured, base64", "plain"}


def test_this_version_has_fixtures() -> None:
    assert (FIXTURES / VERSION).is_dir(), "run python -m tests.upgrades"


@EVERY_VERSION
def test_events_are_read_in_every_encoding(folder: Path) -> None:
    found = read(folder, "events")

    problems = []
    for one in found:
        headers = [(name, unpack(text)) for name, text in one["headers"]]
        today = reading.event(unpack(one["value"]), headers)
        problems += differences(one["means"], today, f"{one['means']['type']}, {one['mode']}")
    assert problems == []
    assert {one["mode"] for one in found} == MODES


@EVERY_VERSION
def test_jobs_are_read(folder: Path) -> None:
    problems = []
    for one in read(folder, "jobs"):
        problems += differences(one["means"], reading.job(unpack(one["value"])), one["means"]["task"])
    assert problems == []


@EVERY_VERSION
def test_refreshes_and_changes_are_still_computed_again(folder: Path) -> None:
    jobs = [decode_job(unpack(one["value"])) for one in read(folder, "jobs")]
    assert {job.why for job in jobs if job.recompute} == {Why.REFRESH, Why.CHANGED}


@EVERY_VERSION
def test_what_a_newer_version_adds_to_a_job_is_ignored(folder: Path) -> None:
    for one in read(folder, "jobs"):
        newer = {**msgspec.json.decode(unpack(one["value"])), "added_later": {"a": [1]}}
        assert decode_job(msgspec.json.encode(newer)).id == one["means"]["id"]


@EVERY_VERSION
@pytest.mark.parametrize(("table", "row"), [("users", reading.user_row), ("inputs", reading.input_row)])
def test_rows_of_the_tables_are_read(folder: Path, table: str, row: Any) -> None:
    for one in read(folder, "tables")[table]:
        assert differences(one["means"], row(unpack(one["value"])), table) == []


@EVERY_VERSION
def test_models_are_read(folder: Path) -> None:
    found = read(folder, "models")

    manifest = reading.plain(load_meta(unpack(found["manifest"]["value"])))
    ngram = load_ngram(unpack(found["ngram"]["value"]))

    assert differences(found["manifest"]["means"], manifest) == []
    assert ngram.vocabulary.names == found["ngram"]["means"]["names"]


@pytest.fixture
def stored_redis(folder: Path, redis_url: str) -> Iterator[dict[str, Any]]:
    """A Redis as that version left it."""
    found = read(folder, "redis")
    with redis.Redis.from_url(redis_url) as client:
        for one in found["keys"]:
            value = one["value"]
            if one["type"] == "string":
                value = unpack(value)
            elif one["type"] == "hash":
                value = {unpack(field): unpack(text) for field, text in value}
            else:
                value = {unpack(member): score for member, score in value}
            reading.restore(client, one["key"], one["type"], value)
        yield found


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    client = connect(Settings(redis_url=redis_url))
    yield client
    await client.aclose()


@EVERY_VERSION
@pytest.mark.redis
async def test_answers_ledger_and_mirror_are_read(
    folder: Path, stored_redis: dict[str, Any], client: aioredis.Redis
) -> None:
    today = await StoredState(client).everything(stored_redis["answers"], stored_redis["jobs"], USER)

    assert differences(stored_redis["means"], today, folder.name) == []
    assert {one["state"] for one in today["answers"].values()} == {"fresh", "unavailable"}


@EVERY_VERSION
@pytest.mark.redis
async def test_leases_and_answers_of_then_hold_for_workers_of_today(
    folder: Path, stored_redis: dict[str, Any], client: aioredis.Redis
) -> None:
    state = StoredState(client)

    answered = make_job("ctr_prediction", "v42", why=Why.UPLOAD, priority=8)
    held = make_job("hook_analysis", "v42", why=Why.UPLOAD, priority=8)
    verdicts = {job.key: await state.claim(job) for job in (answered, held)}

    assert verdicts == stored_redis["claims"], folder.name
    assert set(verdicts.values()) == {"fresh", "held"}


def test_a_changed_meaning_is_noticed() -> None:
    """The comparison itself: what is gone or different counts, what is new does not."""
    assert differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}) == []
    assert differences({"a": 1, "b": {"c": 2}}, {"a": 2, "b": {}}) == [
        ".a: was 1, is 2",
        ".b.c is gone",
    ]
