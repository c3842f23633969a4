"""Clients for every kind of Redis, and hints beside them; light, so that any process may use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from streams.cache.address import RedisAddress
from streams.cache.cluster import ClusterRedis, is_cluster
from streams.cache.cluster_hints import ClusterHints, node_connection
from streams.cache.hints import HintChannels, HintListener, MakeConnection, hint_connections

OnHint = Callable[[str, bytes], None]
OnGap = Callable[[], None]


def open_redis(address: RedisAddress, timeout_s: float, *, most_connections: int | None = None) -> Any:
    """A client of redis-py; no connection is made before the first call. A call waits up to `timeout_s`.

    With `most_connections` a caller beyond the last one of a single server waits for its turn.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": timeout_s,
        "socket_timeout": timeout_s,
    }
    if address.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        # It retries by itself where slots move.
        return ClusterRedis(startup_nodes=nodes, **options, **address.options)
    # Our scripts are idempotent and their callers retry; a hidden retry would only hide the outage.
    options["retry"] = Retry(NoBackoff(), 1)
    if address.kind == "sentinel":
        return _behind_sentinel(address, options)
    if most_connections is None:
        return aioredis.Redis.from_url(address.url, **options)
    pool = aioredis.BlockingConnectionPool.from_url(
        address.url, timeout=timeout_s, max_connections=most_connections, **options
    )
    return aioredis.Redis.from_pool(pool)


def _behind_sentinel(address: RedisAddress, options: dict[str, Any]) -> Any:
    asking = {name: options[name] for name in ("socket_connect_timeout", "socket_timeout")}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        list(address.hosts), sentinel_kwargs={**asking, **address.sentinel_options}, **options
    )
    return sentinel.master_for(address.service, redis_class=_MasterClient, **address.options)


class _MasterClient(aioredis.Redis):
    """Closes its connections to the sentinels too, which redis-py leaves open."""

    async def aclose(self, *args: Any, **kwargs: Any) -> None:
        await super().aclose(*args, **kwargs)
        pool: Any = self.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def sharded_hints(redis: Any, on_hint: OnHint, on_gap: OnGap) -> HintChannels:
    """Channels that belong to a key: on a cluster, those of the node that has it."""
    if is_cluster(redis):
        return ClusterHints(redis, on_hint=on_hint, on_gap=on_gap)
    return HintListener(hint_connections(redis.connection_pool), on_hint=on_hint, on_gap=on_gap)


def plain_hints(redis: Any, on_hint: OnHint, on_gap: OnGap) -> HintListener:
    """Channels that every node hears."""
    return HintListener(_connections(redis), on_hint=on_hint, on_gap=on_gap, sharded=False)


def _connections(redis: Any) -> MakeConnection:
    if not is_cluster(redis):
        return hint_connections(redis.connection_pool)

    def connect() -> Any:
        nodes = redis.nodes_manager
        node = redis.get_random_node() if nodes.nodes_cache else next(iter(nodes.startup_nodes.values()))
        return node_connection(redis, node)

    return connect


async def get_all(redis: Any, names: Sequence[str]) -> list[bytes | None]:
    """The value of each name: one round trip, on a cluster one to each node. Raises redis-py's errors."""
    if not names:
        return []
    if not is_cluster(redis):
        found: list[bytes | None] = await redis.mget(names)
        return found
    pipe = redis.pipeline(transaction=False)
    for name in names:
        pipe.get(name)
    return list(await pipe.execute())
