"""Every read counts for the group of whom it is about, and the lift follows from the counts."""

from __future__ import annotations

import redis.asyncio as aioredis

from predictor.lift import Group, hit_rate_lift
from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.contracts.holdout import HoldoutConfig, draw_group
from streams.contracts.keys import CacheKey
from streams.web.groups import GroupReads

CONFIG = HoldoutConfig(fraction=0.3, salt="s1")


async def test_reads_are_counted_by_group(redis_url: str) -> None:
    names = RedisNames("t")
    client = aioredis.Redis.from_url(redis_url)
    counters = FleetCounters(client, names)
    groups = GroupReads(names, counters, CONFIG)
    users = [f"u{n}" for n in range(200)]
    held = [user for user in users if draw_group(f"user:{user}", CONFIG).value == "holdout"]

    for user in users:
        groups.note(CacheKey("dashboard_data", "user", user), hit=user not in held)
        groups.note(CacheKey("dashboard_data", "user", user), hit=True)
    await groups.report(client)
    await counters.flush()

    totals = await counters.totals()
    assert totals["group_reads:s1:holdout"] == 2 * len(held)
    assert totals["group_hits:s1:holdout"] == len(held)
    assert totals["group_hits:s1:treatment"] == totals["group_reads:s1:treatment"] == 2 * (200 - len(held))
    units = int(await client.pfcount(names.group_units("s1", "holdout")))
    assert abs(units - len(held)) <= 3
    lift = hit_rate_lift(
        Group(200 - len(held), 2 * (200 - len(held)), 2 * (200 - len(held))),
        Group(len(held), 2 * len(held), len(held)),
        CONFIG.fraction,
    )
    assert lift is not None
    assert lift.low > 0.3
    await client.aclose()
