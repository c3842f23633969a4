from __future__ import annotations

import asyncio

import pytest
import redis.asyncio as aioredis

from streams.cache.connection import AWAY, connect
from streams.cache.scripting import Script
from streams.cache.wire import MOST_SPARE
from streams.local.valkey import LocalValkey
from streams.settings import Settings
from tests.support.eventually import one_turn

ECHO = "return {KEYS[1], ARGV[1]}"


async def connections(client: aioredis.Redis) -> int:
    return len(client.connection_pool._in_use_connections)


async def test_calls_at_the_same_time_get_their_own_answers(client: aioredis.Redis) -> None:
    script = Script(client, ECHO)
    answers = await asyncio.gather(*(script([f"k{n}"], [n]) for n in range(50)))
    assert answers == [[f"k{n}".encode(), str(n).encode()] for n in range(50)]
    assert await connections(client) <= MOST_SPARE


async def test_scripts_of_one_client_share_a_connection(client: aioredis.Redis) -> None:
    for number in range(20):
        await Script(client, f"{ECHO} -- {number}")(["k"], [1])
    assert await connections(client) == 1


async def test_a_connection_that_the_server_ended_is_not_noticed(client: aioredis.Redis) -> None:
    script = Script(client, ECHO)
    await script(["k"], [1])
    await client.client_kill_filter(_type="normal", skipme=True)
    assert await script(["k"], [2]) == [b"k", b"2"]


async def test_an_error_of_the_script_leaves_the_connection_in_step(client: aioredis.Redis) -> None:
    script = Script(client, ECHO)
    await script(["k"], [1])
    with pytest.raises(aioredis.ResponseError):
        await Script(client, "return redis.call('NOSUCH')")([], [])
    assert await script(["k"], [2]) == [b"k", b"2"]


async def test_a_caller_that_leaves_takes_its_unread_answer_along(client: aioredis.Redis) -> None:
    script = Script(client, ECHO)
    await script(["k"], [1])
    leaving = asyncio.create_task(script(["k"], ["left"]))
    await one_turn()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await script(["k"], ["stays"]) == [b"k", b"stays"]


async def test_an_answer_that_comes_too_late_is_nobody_elses(own_valkey: LocalValkey) -> None:
    client = connect(Settings(redis_url=own_valkey.url))
    client.connection_pool.connection_kwargs["socket_timeout"] = 0.2
    script = Script(client, ECHO)
    await script(["k"], [1])
    await client.client_pause(400)
    with pytest.raises(TimeoutError):
        await script(["k"], ["late"])
    await client.client_unpause()
    assert await script(["k"], ["next"]) == [b"k", b"next"]
    await client.aclose()


async def test_a_server_that_became_a_replica_is_left(own_valkey: LocalValkey) -> None:
    """Behind Sentinel the next connection goes to the new master."""
    client = connect(Settings(redis_url=own_valkey.url))
    script = Script(client, "return {redis.call('INCR', KEYS[1])}")
    await script(["k"], [])
    await client.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(AWAY):
        await script(["k"], [])
    assert await connections(client) == 0
    await client.aclose()


async def test_a_closed_client_leaves_no_connection(own_valkey: LocalValkey) -> None:
    client = connect(Settings(redis_url=own_valkey.url))
    await Script(client, ECHO)(["k"], [1])
    async with asyncio.timeout(5):
        await client.aclose()
    other = connect(Settings(redis_url=own_valkey.url))
    assert len(await other.client_list(_type="normal")) == 1
    await other.aclose()


async def test_without_a_server_it_says_so_and_comes_back(own_valkey: LocalValkey) -> None:
    client = connect(Settings(redis_url=own_valkey.url))
    script = Script(client, ECHO)
    await script(["k"], [1])
    own_valkey.stop()
    with pytest.raises(AWAY):
        await script(["k"], [2])
    own_valkey.start()
    assert await script(["k"], [3]) == [b"k", b"3"]
    await client.aclose()
