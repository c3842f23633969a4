"""Hints over sharded pub/sub: one connection, any number of channels, subscriptions that survive it.

A hint says "look again", never what there is: whoever gets one reads the answer itself. So a lost hint costs
time, not truth, and a reconnect is nothing but a hint for everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable
from typing import Any, Protocol

from redis import exceptions as redis_errors

from streams.cache.outage import AWAY

#: A reconnect is tried after about so long; many processes lose their connection at the same time.
RECONNECT_S = 0.3
#: A connection that is silent for so long is asked for a sign of life, and given up after twice that.
SILENCE_S = 5.0
#: Subscriptions sent in one write; more would hold Redis for milliseconds.
MOST_A_WRITE = 500

SUBSCRIBED = b"subscribed"

#: Makes a connection of redis-py's low level (its pool's `make_connection`).
MakeConnection = Callable[[], Any]


class HintChannels(Protocol):
    """What hands out hints, be it over one connection or over one a node of a cluster."""

    def subscribe(self, channel: str) -> None: ...

    def unsubscribe(self, channel: str) -> None: ...

    async def run(self) -> None: ...


class HintListener:
    """Keeps its channels subscribed. `on_hint(channel, data)` also gets `SUBSCRIBED` for each new one.

    `on_gap()` is called when hints are being lost, and again when they come again. `sharded` False uses plain
    SUBSCRIBE, for channels that every node hears.
    """

    def __init__(
        self,
        make_connection: MakeConnection,
        *,
        on_hint: Callable[[str, bytes], None],
        on_gap: Callable[[], None],
        sharded: bool = True,
    ) -> None:
        self._make = make_connection
        self._on_hint = on_hint
        self._on_gap = on_gap
        prefix = "S" if sharded else ""
        self._subscribe_word = f"{prefix}SUBSCRIBE"
        self._unsubscribe_word = f"{prefix}UNSUBSCRIBE"
        self._acks = {f"{prefix}subscribe".lower().encode()}
        self._messages = {f"{prefix}message".lower().encode()}
        self._wanted: set[str] = set()
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self.is_connected = False

    def subscribe(self, channel: str) -> None:
        self._wanted.add(channel)
        self._changed.add(channel)
        self._wake.set()

    def unsubscribe(self, channel: str) -> None:
        self._wanted.discard(channel)
        self._changed.add(channel)
        self._wake.set()

    async def run(self) -> None:
        """Listens until it is cancelled; connects only once there is a channel to listen to."""
        lost = False
        while True:
            await self._wake.wait()
            connection = self._make()
            try:
                await connection.connect()
                await self._serve(connection, lost=lost)
            except (*AWAY, redis_errors.ResponseError):
                lost = True
            finally:
                self.is_connected = False
                self._on_gap()
                with contextlib.suppress(Exception):
                    await connection.disconnect(nowait=True)
            self._wake.set()
            await asyncio.sleep(RECONNECT_S * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)

    async def _serve(self, connection: Any, *, lost: bool) -> None:
        self._changed = set(self._wanted)
        writer = asyncio.create_task(self._write(connection), name="hint-subscriptions")
        reader = asyncio.create_task(self._read(connection), name="hint-reader")
        self.is_connected = True
        if lost:
            self._on_gap()
        try:
            done, _ = await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            writer.cancel()
            reader.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)

    async def _write(self, connection: Any) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    await self._wake.wait()
            except TimeoutError:
                await connection.send_command("PING", check_health=False)
                continue
            self._wake.clear()
            while self._changed:
                await self._send_changes(connection)

    async def _send_changes(self, connection: Any) -> None:
        batch = [self._changed.pop() for _ in range(min(MOST_A_WRITE, len(self._changed)))]
        # One channel a command: on a cluster, a command's channels must share a slot.
        commands = [
            (self._subscribe_word if channel in self._wanted else self._unsubscribe_word, channel)
            for channel in batch
        ]
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    async def _read(self, connection: Any) -> None:
        while True:
            try:
                async with asyncio.timeout(2 * SILENCE_S):
                    reply = await connection.read_response(timeout=math.inf)
            except TimeoutError:
                raise redis_errors.TimeoutError("the hint connection is silent") from None
            if not isinstance(reply, list) or len(reply) < 3:
                continue
            kind, channel, data = reply[0], reply[1], reply[2]
            if kind in self._messages:
                self._on_hint(channel.decode(), data)
            elif kind in self._acks:
                self._on_hint(channel.decode(), SUBSCRIBED)


def hint_connections(pool: Any) -> MakeConnection:
    """Connections like the pool's, that speak RESP2: there messages are plain replies."""

    def make() -> Any:
        options = {
            **pool.connection_kwargs,
            "protocol": 2,
            "socket_timeout": None,
            "decode_responses": False,
        }
        options.pop("maint_notifications_config", None)
        return pool.connection_class(**options)

    return make
