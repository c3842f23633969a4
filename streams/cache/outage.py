"""What "Redis is away" looks like; light, so that clients outside this project's roles may use it."""

from __future__ import annotations

from redis import exceptions as redis_errors

#: Unreachable, starting, a replica, or full. The rest is a bug of ours.
AWAY = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    redis_errors.ClusterDownError,
    redis_errors.TryAgainError,
    OSError,
    TimeoutError,
)
