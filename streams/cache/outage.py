"""What "Redis is away" looks like; light, so that clients outside this project's roles may use it."""

from __future__ import annotations

from redis import exceptions as redis_errors
from redis._parsers.base import BaseParser

#: Answers of a server that will mend: a full disk, missing replicas, a script that runs long. redis-py has no
#: class for them and would raise what it raises for our own mistakes.
BaseParser.EXCEPTION_CLASSES.update(
    dict.fromkeys(("MISCONF", "NOREPLICAS", "BUSY"), redis_errors.ReadOnlyError)
)

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
