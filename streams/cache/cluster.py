"""A Redis cluster, as far as it is not like a single server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar

import hiredis
from redis import exceptions as redis_errors
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: Calls at once to the slots of one batch: each takes a connection, and a node has a hundred for us.
MOST_AT_ONCE = 32


class ClusterRedis(RedisCluster):
    """Reports a cluster that cannot be reached as a server that cannot be reached."""

    async def initialize(self, *args: Any, **kwargs: Any) -> Self:
        try:
            await super().initialize(*args, **kwargs)
        except redis_errors.RedisClusterException as exc:
            raise redis_errors.ConnectionError(f"no node of the cluster answers: {exc}") from exc
        return self

    @property
    def connection_pool(self) -> Routes:
        """For callers that pack commands themselves (scripting.py): each goes to the node of its key."""
        return Routes(self)


class Routes:
    """Stands in for the pool of a single server."""

    def __init__(self, redis: ClusterRedis) -> None:
        self._redis = redis

    async def get_connection(self) -> Route:
        return Route(self._redis)

    async def release(self, connection: Route) -> None:
        """Nothing is held: the nodes have pools of their own."""


class Route:
    """Stands in for a connection: what is sent through it is routed, answers come in the same order."""

    def __init__(self, redis: ClusterRedis) -> None:
        self._redis = redis
        self._answers: deque[Any] = deque()

    async def send_packed_command(self, packed: Sequence[bytes]) -> None:
        reader = hiredis.Reader()
        for part in packed:
            reader.feed(part)
        commands = [reader.gets() for _ in packed]
        if len(commands) == 1:
            await self._send_one(commands[0])
            return
        pipe: Any = self._redis.pipeline(transaction=False)
        for name, *words in commands:
            pipe.execute_command(name.decode(), *words)
        self._answers += await pipe.execute(raise_on_error=False)

    async def _send_one(self, command: Sequence[bytes]) -> None:
        name, *words = command
        try:
            self._answers.append(await self._redis.execute_command(name.decode(), *words))
        except redis_errors.ResponseError as exc:
            self._answers.append(exc)

    async def read_response(self) -> Any:
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def disconnect(self) -> None:
        self._answers.clear()


def is_cluster(redis: Any) -> bool:
    return isinstance(redis, RedisCluster)


async def by_slot(
    redis: Any,
    items: Sequence[Item],
    key_of: Callable[[Item], str],
    call: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
) -> list[Answer]:
    """The answers of `call` in the order of the items: one call on a single server, one a slot on a cluster.

    `key_of` names a key whose slot an item's others share. Raises what the first failed call raised, once
    all have ended.
    """
    if not is_cluster(redis) or len(items) < 2:
        return list(await call(items))
    groups: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(key_slot(key_of(item).encode()), []).append(place)
    turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def one(places: Sequence[int]) -> Sequence[Answer]:
        async with turns:
            return await call([items[place] for place in places])

    found = await asyncio.gather(*(one(places) for places in groups.values()), return_exceptions=True)
    answers: dict[int, Answer] = {}
    for places, part in zip(groups.values(), found, strict=True):
        if isinstance(part, BaseException):
            raise part
        answers.update(zip(places, part, strict=True))
    return [answers[place] for place in range(len(items))]
