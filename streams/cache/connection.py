"""One way to reach Redis for every role, with bounds on how long a call may hang."""

from __future__ import annotations

from typing import cast

import redis.asyncio as aioredis

from streams.cache.address import parse_address, safe_address
from streams.cache.link import open_redis
from streams.cache.outage import AWAY
from streams.settings import Settings

__all__ = ["AWAY", "connect", "safe_url"]

#: A healthy Redis answers in a millisecond; a reader must not wait longer for a broken one.
CALL_TIMEOUT_S = 2.0
MOST_CONNECTIONS = 64


def connect(settings: Settings) -> aioredis.Redis:
    """A client of the server, the master behind Sentinel or the cluster of REDIS_URL.

    No connection is made before the first call. Raises `ConfigurationError` for an address of another form.
    """
    address = parse_address(settings.redis_url.get_secret_value())
    client = open_redis(address, CALL_TIMEOUT_S, most_connections=MOST_CONNECTIONS)
    # The cluster's client has the same commands, and no base in common.
    return cast("aioredis.Redis", client)


def safe_url(settings: Settings) -> str:
    """The address without its password, for logs and people."""
    return safe_address(settings.redis_url.get_secret_value())
