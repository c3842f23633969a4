"""How a client reaches Redis: a single server, Sentinel or a cluster, with or without TLS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
import redis.asyncio as aioredis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from streams.cache.hints import HintChannels, HintListener, MakeConnection, hint_connections
from streams.client.cluster_hints import ClusterHints, node_connection
from streams.contracts.errors import ConfigurationError

_DEFAULT_PORT = 6379
_DEFAULT_SENTINEL_PORT = 26379

OnHint = Callable[[str, bytes], None]
OnGap = Callable[[], None]


class Link(msgspec.Struct, frozen=True):
    """A client of redis-py, and how to listen beside it."""

    redis: Any
    is_cluster: bool
    #: Connections to any node, for channels that every node hears.
    connections: MakeConnection

    def sharded_hints(self, on_hint: OnHint, on_gap: OnGap) -> HintChannels:
        if self.is_cluster:
            return ClusterHints(self.redis, on_hint=on_hint, on_gap=on_gap)
        return HintListener(self.connections, on_hint=on_hint, on_gap=on_gap)

    def plain_hints(self, on_hint: OnHint, on_gap: OnGap) -> HintListener:
        return HintListener(self.connections, on_hint=on_hint, on_gap=on_gap, sharded=False)


def open_link(url: str, timeout_s: float) -> Link:
    """Makes no connection yet; raises `ConfigurationError` for an address of an unknown form."""
    options: dict[str, Any] = {
        "socket_connect_timeout": timeout_s,
        "socket_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 1),
    }
    parts = urlsplit(url)
    try:
        if parts.scheme.endswith("+cluster"):
            return _cluster(parts, options)
        if parts.scheme.endswith("+sentinel"):
            return _sentinel(parts, options)
        redis = aioredis.Redis.from_url(url, **options)
    except ValueError as exc:
        raise ConfigurationError(f"redis_url: {exc}; for example redis://127.0.0.1:6379/0") from exc
    return Link(redis, is_cluster=False, connections=hint_connections(redis.connection_pool))


def _cluster(parts: SplitResult, options: dict[str, Any]) -> Link:
    nodes = [ClusterNode(host, port) for host, port in _hosts(parts, _DEFAULT_PORT)]
    # The cluster client retries by itself where slots move.
    del options["retry"]
    redis = RedisCluster(startup_nodes=nodes, **_identity(parts), **_tls(parts), **options)

    def connect() -> Any:
        node = redis.get_random_node() if redis.nodes_manager.nodes_cache else nodes[0]
        return node_connection(redis, node)

    return Link(redis, is_cluster=True, connections=connect)


def _sentinel(parts: SplitResult, options: dict[str, Any]) -> Link:
    path = parts.path.strip("/").split("/")
    if not path[0]:
        raise ConfigurationError(
            "redis_url: a sentinel address ends in /SERVICE or /SERVICE/DB, for example "
            "redis+sentinel://127.0.0.1:26379/mymaster/0"
        )
    db = int(path[1]) if len(path) > 1 else 0
    tls = _tls(parts)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        _hosts(parts, _DEFAULT_SENTINEL_PORT),
        sentinel_kwargs={**tls, "socket_connect_timeout": options["socket_connect_timeout"]},
        **options,
        **tls,
    )
    redis = sentinel.master_for(path[0], db=db, **_identity(parts))
    pool = redis.connection_pool
    make = hint_connections(pool)
    return Link(redis, is_cluster=False, connections=make)


def _hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    found = []
    for one in parts.netloc.rpartition("@")[2].split(","):
        host, _, port = one.rpartition(":") if ":" in one else (one, "", "")
        if not host:
            raise ConfigurationError(f"redis_url: {one!r} names no host; write host:port,host:port")
        found.append((host, int(port) if port else default_port))
    return found


def _identity(parts: SplitResult) -> dict[str, Any]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in found.items() if value}


def _tls(parts: SplitResult) -> dict[str, Any]:
    return {"ssl": True} if parts.scheme.startswith("rediss") else {}
