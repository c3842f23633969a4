from __future__ import annotations

import asyncio
import traceback

import pytest
import redis.asyncio as aioredis
import uvloop

from streams.cache.connection import AWAY, connect, safe_url
from streams.contracts.errors import ConfigurationError
from streams.settings import Settings


async def test_more_calls_than_connections_take_turns(client: aioredis.Redis) -> None:
    await client.set("a", b"1")
    assert set(await asyncio.gather(*(client.get("a") for _ in range(300)))) == {b"1"}


def test_a_connection_closed_between_two_steps_is_away_on_uvloop_too(redis_url: str) -> None:
    async def ask() -> None:
        client = aioredis.Redis.from_url(redis_url, single_connection_client=True)
        async with client:
            connection = client.connection
            # What the server's end looks like before redis-py has heard of it.
            connection._writer.transport.abort()
            await connection.send_command("PING")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, pytest.raises(AWAY):
        runner.run(ask())


async def test_nobody_listening_is_away_at_once() -> None:
    client = connect(Settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(AWAY):
        await asyncio.wait_for(client.get("a"), 5.0)
    await client.aclose()


@pytest.mark.parametrize("url", ["redis://:hun/ter2@h:6379/0", "redis://:hunter2#x@h:1", "http://hunter2@h"])
def test_a_wrong_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL") as caught:
        connect(Settings(redis_url=url))
    told = "".join(traceback.format_exception(caught.value)).replace(f'"{url}"', "")
    assert "hun" not in str(caught.value)
    assert "Port could not be cast" not in told


def test_an_address_is_shown_without_its_password() -> None:
    assert (
        safe_url(Settings(redis_url="rediss://me:hunter2@cache.example/3")) == "rediss://cache.example:6379/3"
    )
