"""The client on a cluster of three nodes: reads, batches, waiting, invalidation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
import redis
from redis.asyncio.cluster import RedisCluster

from streams.cache.backplane import BackplaneMessage
from streams.cache.codec import encode_stored
from streams.cache.names import RedisNames
from streams.client import Precompute, ResultState
from streams.local.valkey import LocalValkey
from tests.support.answers import stored_answer
from tests.support.eventually import eventually
from tests.support.waiting import wait_until

NAMES = RedisNames("pc")
SLOTS = 16_384
KEY = "ctr_prediction:video:v1"


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[int]]:
    """The ports of three masters that share the slots."""
    with ExitStack() as stack:
        config = {"cluster-enabled": "yes", "cluster-node-timeout": "2000", "appendonly": "no"}
        nodes = [stack.enter_context(LocalValkey(config=config)) for _ in range(3)]
        clients = [stack.enter_context(redis.Redis(port=node.port)) for node in nodes]
        bounds = [0, SLOTS // 3, 2 * SLOTS // 3, SLOTS]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        wait_until(lambda: all(_is_whole(client) for client in clients), what="the cluster")
        yield [node.port for node in nodes]


def _is_whole(client: redis.Redis) -> bool:
    info: Any = client.execute_command("CLUSTER", "INFO")
    text = info.decode() if isinstance(info, bytes) else str(info)
    return ("cluster_state:ok" in text or "'cluster_state': 'ok'" in text) and (
        "cluster_known_nodes:3" in text or "'cluster_known_nodes': '3'" in text
    )


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
