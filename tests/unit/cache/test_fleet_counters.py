from __future__ import annotations

import pytest
import redis.asyncio as aioredis

from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.contracts.clock import ManualClock
from streams.contracts.errors import UnavailableError
from streams.local.valkey import LocalValkey
from streams.settings import Settings


async def test_processes_add_up(client: aioredis.Redis, names: RedisNames, clock: ManualClock) -> None:
    one, other = (FleetCounters(client, names, clock) for _ in range(2))
    for counters, amount in ((one, 2.0), (other, 0.5)):
        counters.add("seconds", amount)
        counters.add("hits")
        await counters.flush()
    assert await one.totals() == {"seconds": 2.5, "hits": 2.0}
    await one.flush()
    assert (await one.totals())["hits"] == 2.0, "nothing is sent twice"


async def test_the_last_hour_forgets_and_the_total_does_not(
    client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    counters = FleetCounters(client, names, clock)
    counters.add("hits")
    await counters.flush()
    clock.advance(59 * 60)
    counters.add("hits")
    await counters.flush()
    assert (await counters.last_hour())["hits"] == 2.0
    clock.advance(60)
    assert (await counters.last_hour())["hits"] == 1.0
    assert (await counters.totals())["hits"] == 2.0


async def test_what_could_not_be_sent_is_kept(
    own_valkey: LocalValkey, names: RedisNames, clock: ManualClock
) -> None:
    client = connect(Settings(redis_url=own_valkey.url))
    counters = FleetCounters(client, names, clock)
    own_valkey.stop()
    counters.add("hits", 3)
    await counters.flush()
    counters.add("hits")
    with pytest.raises(UnavailableError, match="does not answer"):
        await counters.totals()
    own_valkey.start()
    await counters.flush()
    assert await counters.totals() == {"hits": 4.0}
    await client.aclose()


async def test_a_stop_sends_the_last_of_it(
    client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    counters = FleetCounters(client, names, clock)
    await counters.start()
    counters.add("hits")
    await counters.stop()
    assert await counters.totals() == {"hits": 1.0}
