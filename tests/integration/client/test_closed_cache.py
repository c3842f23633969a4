"""A cache that asks who is there: TLS with an authority and client certificates, users of an ACL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import redis.asyncio as aioredis
import trustme

from streams.cache.backplane import BackplaneMessage
from streams.cache.connection import connect
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.client import Precompute, ResultState
from streams.local.valkey import LocalValkey
from streams.settings import load_settings
from streams.web.waiting import AnswerWaiter
from tests.support.answers import put_answer, stored_answer
from tests.support.eventually import eventually
from tests.support.tls_front import tls_front

NAMES = RedisNames("pc")
KEY = "ctr_prediction:video:v1"
LATE = "ctr_prediction:video:late"
#: As docs/how-to/read-answers.md has it.
READS = "+mget +get +ssubscribe +sunsubscribe +subscribe +unsubscribe +ping"
REPORTS = "+zadd +zrem +hincrbyfloat +expire"


@pytest.fixture
async def writer(own_valkey: LocalValkey) -> AsyncIterator[aioredis.Redis]:
    async with aioredis.Redis.from_url(own_valkey.url) as client:
        await put_answer(client, NAMES, stored_answer(KEY, 1))
        yield client


class Papers:
    """An authority, a certificate it gave, and one that nobody here trusts."""

    def __init__(self, folder: Path) -> None:
        self.authority, stranger = trustme.CA(), trustme.CA()
        self.ca, self.other_ca = folder / "ca.pem", folder / "other.pem"
        self.certificate = folder / "client.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))
        stranger.cert_pem.write_to_path(str(self.other_ca))
        issued = self.authority.issue_cert("reader@example.org")
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.certificate))

    def url(self, port: int, *, ca: Path | None = None, shows_itself: bool = False) -> str:
        own = f"&ssl_certfile={self.certificate}&ssl_keyfile={self.certificate}" if shows_itself else ""
        return f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={ca or self.ca}{own}"


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path)


async def state_at(url: str) -> tuple[ResultState, str | None]:
    async with Precompute(redis_url=url, memory_ttl_s=0) as client:
        result = await client.get(KEY)
        return result.state, result.reason


async def test_tls_is_used_with_the_authority_that_is_named_and_no_other(
    own_valkey: LocalValkey, writer: aioredis.Redis, papers: Papers
) -> None:
    async with tls_front(own_valkey.port, papers.authority, asks_for_certificate=False) as port:
        assert await state_at(papers.url(port)) == (ResultState.FRESH, None)
        assert await state_at(papers.url(port, ca=papers.other_ca)) == (ResultState.MISS, "cache_away")
        assert await state_at(f"redis://127.0.0.1:{port}/0") == (ResultState.MISS, "cache_away")


async def test_a_client_shows_the_certificate_that_is_asked_for(
    own_valkey: LocalValkey, writer: aioredis.Redis, papers: Papers
) -> None:
    async with tls_front(own_valkey.port, papers.authority, asks_for_certificate=True) as port:
        assert await state_at(papers.url(port, shows_itself=True)) == (ResultState.FRESH, None)
        assert await state_at(papers.url(port)) == (ResultState.MISS, "cache_away")


async def test_roles_read_wait_and_hear_through_tls(
    own_valkey: LocalValkey, writer: aioredis.Redis, papers: Papers
) -> None:
    async with tls_front(own_valkey.port, papers.authority, asks_for_certificate=True) as port:
        redis = connect(load_settings(redis_url=papers.url(port, shows_itself=True)))
        waiter = AnswerWaiter(redis, NAMES, AnswerReader(redis, NAMES), 10)
        await waiter.start()
        waiting = asyncio.create_task(waiter.wait(LATE, 60))
        await eventually(lambda: waiter.count == 1)
        await put_answer(writer, NAMES, stored_answer(LATE, 1))
        await writer.spublish(NAMES.done_channel(LATE), "completed")
        assert await waiting is not None
        await waiter.stop()
        await redis.aclose()


async def denied(writer: aioredis.Redis) -> set[str]:
    """What was refused, but for the name that redis-py gives itself, which it takes no answer to."""
    return {entry["object"] for entry in await writer.acl_log()} - {"client|setinfo"}


async def test_the_rules_in_the_documents_are_all_that_a_client_needs(
    own_valkey: LocalValkey, writer: aioredis.Redis
) -> None:
    rules = f"~pc:* &pc:* {READS} {REPORTS}".split()
    await writer.execute_command("ACL", "SETUSER", "reader", "on", ">pass/word", *rules)
    await writer.acl_log_reset()
    url = f"redis://reader:pass%2Fword@127.0.0.1:{own_valkey.port}/0"
    async with Precompute(redis_url=url, memory_ttl_s=60) as client:
        found = await client.get_many([KEY, LATE])
        assert [result.state for result in found.values()] == [ResultState.FRESH, ResultState.MISS]
        waiting = asyncio.create_task(client._rooms.wait(LATE, 60))
        await eventually(lambda: client._rooms.count == 1 and client._memory.is_heard)
        await put_answer(writer, NAMES, stored_answer(LATE, 1))
        await writer.spublish(NAMES.done_channel(LATE), "completed")
        assert await waiting is not None
        await client.get(KEY)
        message = msgspec.json.encode(BackplaneMessage("*", "*", "*", 0))
        await writer.publish(NAMES.backplane, message)
        await eventually(lambda: client.peek(KEY) is None)
        await client._reporter.flush()
    assert await denied(writer) == set()
    assert await writer.zscore(NAMES.reads("ctr_prediction"), KEY) is not None


async def test_a_user_who_only_reads_reports_nothing(own_valkey: LocalValkey, writer: aioredis.Redis) -> None:
    await writer.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~pc:*", "&pc:*", *READS.split())
    await writer.acl_log_reset()
    url = f"redis://reader:pw@127.0.0.1:{own_valkey.port}/0"
    async with Precompute(redis_url=url, report_reads=False) as client:
        assert (await client.get(KEY)).state is ResultState.FRESH
    assert await denied(writer) == set()


@pytest.mark.parametrize("login", ["reader:wrong", "nobody:pw", "blind:pw"])
async def test_who_may_not_read_gets_a_reason_not_an_error(
    own_valkey: LocalValkey, writer: aioredis.Redis, login: str
) -> None:
    """A password that was changed under a running program must not take its pages down."""
    await writer.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~pc:*", "&pc:*", *READS.split())
    await writer.execute_command("ACL", "SETUSER", "blind", "on", ">pw", "~other:*", "&*", *READS.split())
    async with Precompute(redis_url=f"redis://{login}@127.0.0.1:{own_valkey.port}/0") as client:
        result = await client.get(KEY)
        assert (result.state, result.reason) == (ResultState.MISS, "cache_away")
        assert result.message
        assert any(word in result.message for word in ("WRONGPASS", "permission", "invalid username"))
