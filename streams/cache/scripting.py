"""Calls of server-side scripts with hundreds of arguments, packed in C.

redis-py's asyncio client packs commands in Python, which for a batch of claims costs more than all else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary, ref

import hiredis
import redis.asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from streams.cache.cluster import is_cluster

Argument = str | bytes | int

#: Its stub asks for a tuple of one.
_pack = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)


#: Claims, ends, renewals and the ledger: calls at the same time.
MOST_SPARE = 4


class HeldConnections:
    """Connections of a client's pool that are kept between calls.

    redis-py takes a connection, looks whether it is sound, bounds the sending with a task and the reading
    with a timer, and gives it back: four times the work of the call itself. Closing the client closes them.
    """

    def __init__(self, pool: Any) -> None:
        #: Weak, since it is the pool that this is kept for.
        self._pool: Callable[[], Any] = ref(pool)
        self._spare: list[Any] = []

    async def ask(self, packed: bytes) -> Any:
        """One command's answer; raises redis-py's errors, TimeoutError after the client's own bound."""
        if self._spare:
            with contextlib.suppress(RedisConnectionError, ConnectionError):
                # The server may have ended it while nobody used it; what is sent here may be sent twice.
                return await self._ask(self._spare.pop(), packed)
        return await self._ask(await self._pool().get_connection(), packed)

    async def _ask(self, connection: Any, packed: bytes) -> Any:
        bound_s, connection.socket_timeout = connection.socket_timeout, None
        try:
            async with asyncio.timeout(bound_s):
                await connection.send_packed_command([packed], check_health=False)
                return await connection.read_response()
        except BaseException as exc:
            if not isinstance(exc, ResponseError):
                # A reply that was not read must not become another call's.
                await connection.disconnect(nowait=True)
            raise
        finally:
            connection.socket_timeout = bound_s
            if len(self._spare) < MOST_SPARE and connection.is_connected:
                self._spare.append(connection)
            else:
                await self._pool().release(connection)


_held: WeakKeyDictionary[Any, HeldConnections] = WeakKeyDictionary()


def _held_of(redis: aioredis.Redis) -> HeldConnections:
    pool = redis.connection_pool
    return _held.setdefault(pool, HeldConnections(pool))


class Script:
    """EVALSHA, and EVAL where a restart of Redis lost the script."""

    def __init__(self, redis: aioredis.Redis, text: str) -> None:
        self._redis = redis
        # A cluster's client finds the node of each call by itself.
        self._connections = None if is_cluster(redis) else _held_of(redis)
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str], args: Sequence[Argument]) -> list[Any]:
        """The script's answer; raises redis-py's errors."""
        try:
            return await self._send("EVALSHA", self._sha, keys, args)
        except NoScriptError:
            return await self._send("EVAL", self._text, keys, args)

    async def _send(
        self, command: str, script: str, keys: Sequence[str], args: Sequence[Argument]
    ) -> list[Any]:
        words = (command, script, len(keys), *keys, *args)
        if self._connections is None:
            answer: list[Any] = await send_packed(self._redis, *words)
        else:
            answer = await self._connections.ask(_pack(words))
        return answer


async def send_packed(redis: Any, *words: Argument) -> Any:
    """One command's answer, over a connection of the client's pool; raises redis-py's errors."""
    return (await send_many(redis, [words]))[0]


async def send_many(redis: Any, commands: Sequence[Sequence[Argument]]) -> list[Any]:
    """The answers to several commands in one round trip; raises redis-py's errors."""
    packed = [_pack(tuple(words)) for words in commands]
    pool = redis.connection_pool
    connection = await pool.get_connection()
    try:
        await connection.send_packed_command(packed)
        return [await connection.read_response() for _ in commands]
    except ResponseError:
        if len(commands) > 1:
            # The answers behind it were not read.
            await connection.disconnect()
        raise
    except BaseException:
        # A reply that was not read must not become another call's.
        await connection.disconnect()
        raise
    finally:
        await pool.release(connection)
