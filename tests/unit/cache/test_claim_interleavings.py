"""Any order of claims, lost leases, late ends and invalidations: the answer never goes back."""

from __future__ import annotations

from typing import Literal

import redis.asyncio as aioredis
from cache_samples import TTL_MS, claim, end, finish, fresh_key, job, lose_lease
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streams.cache.answers import AnswerStore, Claim
from streams.cache.codec import decode_stored
from streams.cache.invalidation import Invalidator
from streams.cache.names import RedisNames
from streams.contracts.clock import ManualClock, millis
from streams.contracts.keys import CacheKey, KeyPattern
from streams.contracts.tasks import BUILTIN_TASKS

Step = tuple[Literal["claim", "end", "lose", "age", "renew", "invalidate"], int]

steps = st.lists(
    st.tuples(st.just("claim"), st.integers(1, 4))
    | st.tuples(st.just("end"), st.integers(0, 5))
    | st.tuples(st.sampled_from(["lose", "age", "renew", "invalidate"]), st.just(0)),
    min_size=3,
    max_size=24,
)


class World:
    """One key in a real cache, and what must be true of it."""

    def __init__(self, client: aioredis.Redis, names: RedisNames) -> None:
        self.clock = ManualClock()
        self.key: CacheKey = fresh_key()
        self.names = names
        self.client = client
        self.store = AnswerStore(client, names, 10.0, self.clock)
        self.invalidator = Invalidator(client, names, BUILTIN_TASKS, self.clock)
        #: Claims that compute now, and when they began.
        self.running: list[tuple[Claim, int]] = []
        self.version_there = 0
        self.invalidated_at = 0

    async def step(self, step: Step) -> None:
        self.clock.advance(0.001)
        match step:
            case ("claim", version):
                await self.claim(version)
            case ("end", index) if self.running:
                await self.end(*self.running.pop(index % len(self.running)))
            case ("lose", _):
                await lose_lease(self.client, self.names, self.key)
            case ("age", _):
                # Stale answers are kept, and an older input's claim is granted beside them.
                self.clock.advance(TTL_MS / 1000)
            case ("renew", _):
                held = await self.store.renew([one for one, _ in self.running]) if self.running else []
                assert sum(held) <= 1, "two hold one lease"
            case ("invalidate", _):
                self.invalidated_at = millis(self.clock.now())
                await self.invalidator.invalidate(KeyPattern.parse(str(self.key), BUILTIN_TASKS))
                self.version_there = 0
        await self.check()

    async def claim(self, version: int) -> None:
        held = claim(job(self.key, version, cause=str(version)))
        grants = [(await self.store.claim([held]))[0] for _ in range(2)]
        assert grants[0] == grants[1] or grants[0].verdict == "held", "sent again, it is the same claim"
        if grants[0].verdict == "run":
            self.running.append((held, millis(self.clock.now())))
        if grants[0].verdict == "fresh":
            assert self.version_there >= version

    async def end(self, held: Claim, started: int) -> None:
        version = held.job.input_version
        verdict = await end(self.store, finish(held, self.clock, started_at=started, result=version))
        if verdict == "written":
            assert version >= self.version_there, "an older answer replaced a newer"
            assert started > self.invalidated_at, "an answer came back after its invalidation"
            self.version_there = version
        elif verdict == "lost":
            newer = [one for one, _ in self.running if one.job.input_version >= version]
            assert newer, "given up although nobody computes anything as new"
        elif verdict == "older":
            assert self.version_there >= version
        else:
            assert (verdict, started <= self.invalidated_at) == ("invalidated", True)

    async def check(self) -> None:
        data = await self.client.get(self.names.result(str(self.key)))
        found = decode_stored(data).input_version if data else 0
        assert found == self.version_there


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
@example([("claim", 1), ("lose", 0), ("claim", 1), ("end", 0), ("end", 0)])
@example([("claim", 2), ("end", 0), ("age", 0), ("claim", 1), ("end", 0)])
@example([("claim", 1), ("lose", 0), ("renew", 0), ("claim", 1), ("end", 1)])
@example([("claim", 2), ("lose", 0), ("claim", 1), ("end", 0), ("end", 0)])
async def test_the_answer_never_goes_back(
    client: aioredis.Redis, names: RedisNames, taken: list[Step]
) -> None:
    world = World(client, names)
    for step in taken:
        await world.step(step)
    while world.running:
        await world.step(("end", 0))
