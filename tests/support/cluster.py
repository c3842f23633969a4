"""A Valkey cluster of three masters on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis

from streams.local.ports import free_port
from streams.local.security import CacheSecurity
from streams.local.valkey import LocalValkey
from tests.support.waiting import wait_until

SLOTS = 16_384
#: The nodes speak TLS among themselves, too, and tell clients of the ports that do.
_CLOSED = {"tls-cluster": "yes", "tls-replication": "yes"}
_CONFIG = {"cluster-enabled": "yes", "cluster-node-timeout": "2000", "appendonly": "no"}


@contextmanager
def three_nodes(
    security: CacheSecurity | None = None, program: Path | None = None
) -> Iterator[Sequence[LocalValkey]]:
    """The nodes, each a third of the slots; `security` closes them all, `program` is one with TLS."""
    with ExitStack() as stack:
        yield _masters(stack, security, program)


@contextmanager
def three_nodes_and_a_replica() -> Iterator[tuple[Sequence[LocalValkey], LocalValkey]]:
    """The masters, and a replica of the first one that takes over when it dies."""
    with ExitStack() as stack:
        masters = _masters(stack)
        replica = stack.enter_context(_Node())
        client = stack.enter_context(redis.Redis(port=replica.port))
        first = stack.enter_context(redis.Redis(port=masters[0].port))
        place = (masters[0].port, masters[0].bus_port)
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", *place)
        name = first.execute_command("CLUSTER", "MYID")
        wait_until(lambda: _follows(client, name), what="the replica that knows its master")
        wait_until(
            lambda: client.info("replication").get("master_link_status") == "up", what="the replica's link"
        )
        wait_until(lambda: _is_whole(client, nodes=4), what="the cluster")
        yield masters, replica


class _Node(LocalValkey):
    """With a free port for the bus too: ten thousand above its own may be somebody's."""

    def __init__(self, security: CacheSecurity | None = None, program: Path | None = None) -> None:
        self.bus_port = free_port()
        closed = _CLOSED if security is not None else {}
        config = {**_CONFIG, **closed, "cluster-port": str(self.bus_port)}
        super().__init__(config=config, security=security, program=program)


def _masters(
    stack: ExitStack, security: CacheSecurity | None = None, program: Path | None = None
) -> list[_Node]:
    nodes = [stack.enter_context(_Node(security, program)) for _ in range(3)]
    clients = [stack.enter_context(redis.Redis.from_url(node.url)) for node in nodes]
    bounds = [0, SLOTS // 3, 2 * SLOTS // 3, SLOTS]
    for number, client in enumerate(clients):
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, nodes[0].bus_port)
    wait_until(lambda: all(_is_whole(client) for client in clients), what="the cluster")
    return nodes


def _follows(client: redis.Redis, master: bytes) -> bool:
    """A node is told to follow another once it has heard of it."""
    try:
        client.execute_command("CLUSTER", "REPLICATE", master)
    except redis.ResponseError:
        return False
    return True


def cluster_url(nodes: Sequence[LocalValkey], *, login: str = "", ca: Path | None = None) -> str:
    """`login` is "user:password@", quoted; with `ca` the address is one of TLS."""
    hosts = login + ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    return f"redis+cluster://{hosts}" if ca is None else f"rediss+cluster://{hosts}?ssl_ca_certs={ca}"


def _is_whole(client: redis.Redis, nodes: int = 3) -> bool:
    info: Any = client.execute_command("CLUSTER", "INFO")
    text = info.decode() if isinstance(info, bytes) else str(info)
    return ("cluster_state:ok" in text or "'cluster_state': 'ok'" in text) and (
        f"cluster_known_nodes:{nodes}" in text or f"'cluster_known_nodes': '{nodes}'" in text
    )
