"""`python -m tests.upgrades`: writes the fixtures of this version, once, before it is released."""

from __future__ import annotations

import asyncio
import sys

import redis

from streams.cache.connection import connect
from streams.local.valkey import LocalValkey
from streams.settings import Settings
from streams.version import VERSION
from tests.upgrades.making import make_records, make_redis
from tests.upgrades.records import FIXTURES


async def main() -> int:
    folder = FIXTURES / VERSION
    if folder.exists() and "--again" not in sys.argv:
        sys.stderr.write(f"{folder} is there; --again replaces it, which only an unreleased version may\n")
        return 1
    make_records(folder)
    with LocalValkey() as cache, redis.Redis.from_url(cache.url) as client:
        asynchronous = connect(Settings(redis_url=cache.url))
        await make_redis(folder, client, asynchronous)
        await asynchronous.aclose()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
