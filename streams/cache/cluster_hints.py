"""Sharded hints on a cluster: each channel is listened to at the node that has its slot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from streams.cache.hints import HintListener

#: How often channels are checked against the slots: failovers and resharding move them.
CHECK_EVERY_S = 2.0
#: Of a cluster client's options, those that a single connection takes too.
_CONNECTION_OPTIONS = frozenset(
    {
        "username",
        "password",
        "credential_provider",
        "client_name",
        "socket_connect_timeout",
        "socket_keepalive",
    }
)


class ClusterHints:
    """One connection a node that has a channel of ours. Raises nothing: looks make up for lost hints."""

    def __init__(
        self, redis: Any, *, on_hint: Callable[[str, bytes], None], on_gap: Callable[[], None]
    ) -> None:
        self._redis = redis
        self._on_hint = on_hint
        self._on_gap = on_gap
        #: Channel to the address of the node it is listened to at.
        self._places: dict[str, str] = {}
        self._listeners: dict[str, HintListener] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribe(self, channel: str) -> None:
        place = self._place(channel)
        self._places[channel] = place
        if place:
            self._listener(place).subscribe(channel)

    def unsubscribe(self, channel: str) -> None:
        place = self._places.pop(channel, "")
        if place:
            self._listeners[place].unsubscribe(channel)

    async def run(self) -> None:
        try:
            while True:
                await asyncio.sleep(CHECK_EVERY_S)
                self._move()
        finally:
            for task in self._tasks:
                task.cancel()

    def _move(self) -> None:
        for channel, place in list(self._places.items()):
            now = self._place(channel)
            if now and now != place:
                self.unsubscribe(channel)
                self.subscribe(channel)

    def _place(self, channel: str) -> str:
        """The address of the channel's node, "" while the cluster is not known."""
        try:
            node = self._redis.get_node_from_key(channel)
        except Exception:  # noqa: BLE001 (an uncovered slot, an unknown cluster: later)
            return ""
        return str(node.name) if node is not None else ""

    def _listener(self, place: str) -> HintListener:
        found = self._listeners.get(place)
        if found is None:
            found = HintListener(lambda: self._connect(place), on_hint=self._on_hint, on_gap=self._on_gap)
            self._listeners[place] = found
            task = asyncio.create_task(found.run(), name=f"hints-{place}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return found

    def _connect(self, place: str) -> Any:
        node = self._redis.get_node(node_name=place)
        if node is None:
            raise ConnectionError(f"{place} is no longer of the cluster")
        return node_connection(self._redis, node)


def node_connection(redis: Any, node: Any) -> Any:
    """A connection to one node of a cluster, that speaks RESP2."""
    options = {
        name: value
        for name, value in redis.connection_kwargs.items()
        if name in _CONNECTION_OPTIONS or name.startswith("ssl_")
    }
    return node.connection_class(**options, host=node.host, port=node.port, protocol=2, socket_timeout=None)
