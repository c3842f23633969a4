"""What "Redis is away" looks like; light, so that clients outside this project's roles may use it."""

from __future__ import annotations

from typing import Any

from redis import exceptions as redis_errors
from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection

#: Answers of a server that will mend: a full disk, missing replicas, a script that runs long. redis-py has no
#: class for them and would raise what it raises for our own mistakes.
BaseParser.EXCEPTION_CLASSES.update(
    dict.fromkeys(("MISCONF", "NOREPLICAS", "BUSY"), redis_errors.ReadOnlyError)
)

_send_packed = AbstractConnection.send_packed_command


async def _send_or_say_closed(connection: AbstractConnection, *args: Any, **kwargs: Any) -> None:
    """Where the server closed the connection between two steps of redis-py, uvloop raises a RuntimeError.

    redis-py knows an OSError alone: a restart of Redis at that moment would look like a bug of ours.
    """
    try:
        await _send_packed(connection, *args, **kwargs)
    except RuntimeError as exc:
        if "handler is closed" not in str(exc):
            raise
        await connection.disconnect(nowait=True)
        raise redis_errors.ConnectionError("the server closed the connection") from exc


AbstractConnection.send_packed_command = _send_or_say_closed  # type: ignore[method-assign,assignment]

#: Unreachable, starting, a replica, full, or closed to us: an operator mends that, and nothing is lost
#: meanwhile. The rest is a bug of ours.
AWAY = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    redis_errors.NoPermissionError,
    redis_errors.ClusterDownError,
    redis_errors.TryAgainError,
    OSError,
    TimeoutError,
)
