"""A Valkey cluster of three masters on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import redis

from streams.local.valkey import LocalValkey
from tests.support.waiting import wait_until

SLOTS = 16_384
_CONFIG = {"cluster-enabled": "yes", "cluster-node-timeout": "2000", "appendonly": "no"}


@contextmanager
def three_nodes() -> Iterator[list[LocalValkey]]:
    """The nodes, each a third of the slots."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(LocalValkey(config=_CONFIG)) for _ in range(3)]
        clients = [stack.enter_context(redis.Redis(port=node.port)) for node in nodes]
        bounds = [0, SLOTS // 3, 2 * SLOTS // 3, SLOTS]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        wait_until(lambda: all(_is_whole(client) for client in clients), what="the cluster")
        yield nodes


def cluster_url(nodes: list[LocalValkey]) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


def _is_whole(client: redis.Redis) -> bool:
    info: Any = client.execute_command("CLUSTER", "INFO")
    text = info.decode() if isinstance(info, bytes) else str(info)
    return ("cluster_state:ok" in text or "'cluster_state': 'ok'" in text) and (
        "cluster_known_nodes:3" in text or "'cluster_known_nodes': '3'" in text
    )
