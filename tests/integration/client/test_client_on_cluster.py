"""The client on a cluster of three nodes: reads, batches, waiting, invalidation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import redis
from redis.asyncio.cluster import RedisCluster

from streams.cache.backplane import BackplaneMessage
from streams.cache.codec import encode_stored
from streams.cache.names import RedisNames
from streams.client import Precompute, ResultState
from tests.support.answers import stored_answer
from tests.support.cluster import three_nodes
from tests.support.eventually import eventually

NAMES = RedisNames("pc")
KEY = "ctr_prediction:video:v1"


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[int]]:
    """The ports of three masters that share the slots."""
    with three_nodes() as nodes:
        yield [node.port for node in nodes]


@pytest.fixture
async def writer(cluster: list[int]) -> AsyncIterator[RedisCluster]:
    client = RedisCluster(host="127.0.0.1", port=cluster[0])
    yield client
    await client.aclose()


@pytest.fixture
async def client(cluster: list[int]) -> AsyncIterator[Precompute]:
    hosts = ",".join(f"127.0.0.1:{port}" for port in cluster)
    async with Precompute(redis_url=f"redis+cluster://{hosts}", memory_ttl_s=600) as made:
        yield made


async def put(writer: RedisCluster, key: str, result: Any) -> None:
    await writer.set(NAMES.result(key), encode_stored(stored_answer(key, result)))


async def test_keys_of_all_nodes_are_read_at_once(client: Precompute, writer: RedisCluster) -> None:
    keys = [f"ctr_prediction:video:v{i}" for i in range(60)]
    for key in keys:
        await put(writer, key, key)
    found = await client.get_many(keys)
    assert [result.value for result in found.values()] == keys
    assert (await client.get("ctr_prediction:video:none")).state is ResultState.MISS


async def test_waiters_are_told_by_the_node_that_has_the_key(
    client: Precompute, writer: RedisCluster
) -> None:
    client._start()
    await client.get("ctr_prediction:video:none")
    keys = [f"hook_analysis:video:v{i}" for i in range(30)]
    waiting = [asyncio.create_task(client._rooms.wait(key, 30)) for key in keys]
    await eventually(lambda: client._rooms.count == len(keys))
    listeners = client._rooms._listener._listeners.values()
    await eventually(lambda: len(listeners) == 3 and all(one.is_connected for one in listeners))
    for key in keys:
        await put(writer, key, key)
        await writer.execute_command("SPUBLISH", NAMES.done_channel(key), "completed")
    assert all(one is not None for one in await asyncio.gather(*waiting))


async def test_invalidations_reach_memory(
    client: Precompute, writer: RedisCluster, cluster: list[int]
) -> None:
    await put(writer, KEY, 1)
    await client.get(KEY)
    await eventually(lambda: client._memory.is_heard)
    await client.get(KEY)
    message = msgspec.json.encode(BackplaneMessage("ctr_prediction", "*", "*", 0))
    with redis.Redis(port=cluster[2]) as node:
        node.publish(NAMES.backplane, message)
    await eventually(lambda: client.peek(KEY) is None)
