"""One way to reach Redis for every role, with bounds on how long a call may hang."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streams.cache.outage import AWAY
from streams.contracts.errors import ConfigurationError
from streams.settings import Settings

__all__ = ["AWAY", "connect", "safe_url"]

#: A healthy Redis answers in a millisecond; a reader must not wait longer for a broken one.
CONNECT_TIMEOUT_S = 2.0
CALL_TIMEOUT_S = 2.0


def connect(settings: Settings, **overrides: Any) -> aioredis.Redis:
    """A client; no connection is made before the first call."""
    url = settings.redis_url.get_secret_value()
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": CALL_TIMEOUT_S,
        # Our scripts are idempotent and their callers retry; a hidden retry would only hide the outage.
        "retry": Retry(NoBackoff(), 1),
        "max_connections": 64,
        **overrides,
    }
    try:
        # A caller beyond the last connection waits its turn; the other pool would raise at once.
        pool = aioredis.BlockingConnectionPool.from_url(url, timeout=CALL_TIMEOUT_S, **options)
    except ValueError:
        # The library's message quotes parts of the address, and with it of a password.
        raise ConfigurationError(
            "REDIS_URL is no address of a Redis; it reads redis://, rediss:// or unix://, for example "
            "redis://127.0.0.1:6379/0, and a password's special characters are written as %XX"
        ) from None
    return aioredis.Redis.from_pool(pool)


def safe_url(settings: Settings) -> str:
    """The address without its password, for logs and people."""
    parts = urlsplit(settings.redis_url.get_secret_value())
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}:{parts.port or 6379}{parts.path}"
