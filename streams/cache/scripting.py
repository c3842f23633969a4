"""Calls of server-side scripts with hundreds of arguments, packed in C.

redis-py's asyncio client packs commands in Python, which for a batch of claims costs more than all else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
import redis.asyncio as aioredis
from redis.exceptions import NoScriptError, ResponseError

from streams.cache.cluster import is_cluster
from streams.cache.wire import held_by

Argument = str | bytes | int

#: Its stub asks for a tuple of one.
_pack = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)


class Script:
    """EVALSHA, and EVAL where a restart of Redis lost the script."""

    def __init__(self, redis: aioredis.Redis, text: str) -> None:
        self._redis = redis
        # A cluster's client finds the node of each call by itself.
        self._connections = None if is_cluster(redis) else held_by(redis)
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
