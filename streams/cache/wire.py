"""Connections of a client's pool that are kept between calls, and driven by callbacks.

redis-py takes a connection, looks whether it is sound, bounds the sending with a task and the reading with a
timer, reads through a stream, and gives it back: ten times the work of the call itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

import hiredis
import redis.asyncio as aioredis
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ReadOnlyError, ResponseError

#: Claims, ends, renewals and the ledger: calls at the same time.
MOST_SPARE = 4

#: What the reader gives for half a reply.
_MORE = object()


class Wire(asyncio.Protocol):
    """A connection that redis-py opened: one command at a time, its reply as it arrives."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        #: False for good once a reply was not read, or the server may not be written to any more.
        self.is_sound = True
        self._transport = connection._writer.transport  # noqa: SLF001 (redis-py has no public way to it)
        self._streams = self._transport.get_protocol()
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=BaseParser.parse_error, notEnoughData=_MORE
        )
        self._waiter: asyncio.Future[Any] | None = None
        self._transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        return self.is_sound and not self._transport.is_closing()

    async def ask(self, packed: bytes) -> Any:
        """One command's reply; raises redis-py's errors, TimeoutError after the client's own bound."""
        if not self.is_open:
            raise RedisConnectionError("the server closed the connection")
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        bound_s = self.connection.socket_timeout
        timer = loop.call_later(bound_s, self._end, TimeoutError()) if bound_s else None
        try:
            self._write(packed)
            return await waiter
        except BaseException as exc:
            # A reply that was not read must not become another call's.
            self.is_sound = isinstance(exc, ResponseError) and not isinstance(exc, ReadOnlyError)
            raise
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def give_back(self) -> None:
        """redis-py drives it again."""
        self._transport.set_protocol(self._streams)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not _MORE:
            if not isinstance(reply, hiredis.PushNotification):
                self._end(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_sound = False
        self._end(RedisConnectionError(f"the server closed the connection: {exc or 'end of stream'}"))
        # Whoever closes a stream waits until it hears of that.
        self._streams.connection_lost(exc)

    def _write(self, packed: bytes) -> None:
        try:
            self._transport.write(packed)
        except RuntimeError as exc:
            # uvloop, where the server has closed it meanwhile.
            raise RedisConnectionError("the server closed the connection") from exc

    def _end(self, reply: Any) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if isinstance(reply, BaseException):
            waiter.set_exception(reply)
        else:
            waiter.set_result(reply)


class HeldConnections:
    """Closing the client closes them."""

    def __init__(self, pool: Any) -> None:
        #: Weak, since it is the pool that this is kept for.
        self._pool: Callable[[], Any] = ref(pool)
        self._spare: list[Wire] = []

    async def ask(self, packed: bytes) -> Any:
        """One command's answer; raises redis-py's errors, TimeoutError after the client's own bound."""
        if self._spare:
            with contextlib.suppress(RedisConnectionError, ConnectionError):
                # The server may have ended it while nobody used it; what is sent here may be sent twice.
                return await self._ask(self._spare.pop(), packed)
        return await self._ask(Wire(await self._pool().get_connection()), packed)

    async def _ask(self, wire: Wire, packed: bytes) -> Any:
        try:
            return await wire.ask(packed)
        finally:
            if wire.is_open and len(self._spare) < MOST_SPARE:
                self._spare.append(wire)
            else:
                await self._let_go(wire)

    async def _let_go(self, wire: Wire) -> None:
        wire.give_back()
        if not wire.is_open:
            await wire.connection.disconnect(nowait=True)
        await self._pool().release(wire.connection)


_held: WeakKeyDictionary[Any, HeldConnections] = WeakKeyDictionary()


def held_by(redis: aioredis.Redis) -> HeldConnections:
    """The connections that are kept for this client; it is no cluster's."""
    pool = redis.connection_pool
    return _held.setdefault(pool, HeldConnections(pool))
