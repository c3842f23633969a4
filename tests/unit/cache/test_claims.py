from __future__ import annotations

import pytest
import redis.asyncio as aioredis
from cache_samples import (
    STALE_MS,
    TTL_MS,
    claim,
    end,
    finish,
    fresh_key,
    job,
    lose_lease,
    release,
    verdict_of,
)

from streams.cache.answers import AnswerStore
from streams.cache.invalidation import Invalidator
from streams.cache.names import RedisNames
from streams.contracts.clock import ManualClock, millis
from streams.contracts.jobs import Why
from streams.contracts.keys import KeyPattern
from streams.contracts.tasks import BUILTIN_TASKS

LEASE_S = 10.0


@pytest.fixture
def store(client: aioredis.Redis, names: RedisNames, clock: ManualClock) -> AnswerStore:
    return AnswerStore(client, names, LEASE_S, clock)


async def test_one_runs_and_the_others_wait(store: AnswerStore) -> None:
    key = fresh_key()
    first, twin, other = job(key), job(key), job(key, cause="2")
    assert await verdict_of(store, claim(first)) == "run"
    assert await verdict_of(store, claim(twin)) == "held", "the same job, delivered twice"
    assert await verdict_of(store, claim(other)) == "busy"


async def test_held_says_how_long_the_lease_lasts(store: AnswerStore) -> None:
    one = job(fresh_key())
    await store.claim([claim(one)])
    (grant,) = await store.claim([claim(one)])
    assert 0 < grant.number <= LEASE_S * 1000


async def test_a_written_answer_is_fresh_until_it_expires(store: AnswerStore, clock: ManualClock) -> None:
    key = fresh_key()
    held = claim(job(key))
    await store.claim([held])
    assert await end(store, finish(held, clock)) == "written"
    assert await verdict_of(store, claim(job(key, cause="2"))) == "fresh"
    clock.advance(TTL_MS / 1000)
    assert await verdict_of(store, claim(job(key, cause="2"))) == "run"


async def test_a_newer_input_takes_the_lease_over(store: AnswerStore, clock: ManualClock) -> None:
    key = fresh_key()
    old, new = claim(job(key, 1)), claim(job(key, 2))
    await store.claim([old])
    assert await verdict_of(store, new) == "run"
    assert await end(store, finish(old, clock, result="old")) == "lost"
    assert await end(store, finish(new, clock, result="new")) == "written"
    assert await verdict_of(store, claim(job(key, 1, cause="9"))) == "fresh"


async def test_an_older_answer_never_replaces_a_newer(
    store: AnswerStore, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    key = fresh_key()
    old, new = claim(job(key, 1)), claim(job(key, 2))
    await store.claim([old])
    await store.claim([new])
    await end(store, finish(new, clock, result="new"))
    await lose_lease(client, names, key)
    assert await end(store, finish(old, clock, result="old")) == "older"


async def test_an_older_job_s_lease_does_not_keep_a_newer_answer_out(
    store: AnswerStore, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    key = fresh_key()
    new, old = claim(job(key, 2)), claim(job(key, 1))
    await store.claim([new])
    await lose_lease(client, names, key)
    assert await verdict_of(store, old) == "run"
    assert await end(store, finish(new, clock, result="new")) == "written"
    assert await end(store, finish(old, clock, result="old")) == "older"


async def test_every_call_may_be_sent_twice(store: AnswerStore, clock: ManualClock) -> None:
    held = claim(job(fresh_key()))
    grants = [(await store.claim([held]))[0] for _ in range(5)]
    assert [(grant.verdict, grant.number) for grant in grants] == [("run", 1)] * 5, (
        "one start, sent five times"
    )
    assert await store.renew([held]) == [True]
    once = finish(held, clock)
    assert [await end(store, once), await end(store, once)] == ["written", "written"]
    assert await store.renew([held]) == [False]


async def test_starts_count_processes_that_died(
    store: AnswerStore, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    key = fresh_key()
    one = job(key)
    for number in (1, 2, 3):
        (grant,) = await store.claim([claim(one)])
        assert (grant.verdict, grant.number) == ("run", number)
        await lose_lease(client, names, key)
    held = claim(job(key, cause="2"))
    assert (await store.claim([held]))[0].number == 1, "another job begins anew"
    await end(store, release(held))
    assert (await store.claim([claim(one)]))[0].number == 1, "an end clears the count"


async def test_a_release_leaves_no_answer_and_no_lease(store: AnswerStore) -> None:
    key = fresh_key()
    held = claim(job(key))
    await store.claim([held])
    assert await end(store, release(held)) == "released"
    assert await verdict_of(store, claim(job(key, cause="2"))) == "run"


@pytest.mark.parametrize("why", [Why.REFRESH, Why.DEMAND])
async def test_a_recomputation_replaces_what_was_there_before_it(
    store: AnswerStore, clock: ManualClock, why: Why
) -> None:
    key = fresh_key()
    held = claim(job(key))
    await store.claim([held])
    await end(store, finish(held, clock))
    clock.advance(1.0)
    made_at = millis(clock.now())
    assert await verdict_of(store, claim(job(key, why=why, cause="n", created_at=made_at))) == "fresh"
    again = claim(job(key, why=why, cause="r", created_at=made_at, recompute=True))
    assert await verdict_of(store, again) == "run"
    assert await end(store, finish(again, clock, result="again")) == "written"
    assert await verdict_of(store, claim(again.job)) == "fresh"


async def test_an_invalidation_keeps_out_what_began_before_it(
    store: AnswerStore, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    key = fresh_key()
    invalidator = Invalidator(client, names, BUILTIN_TASKS, clock)
    held = claim(job(key))
    await store.claim([held])
    started = millis(clock.now())
    clock.advance(0.5)
    assert await invalidator.invalidate(KeyPattern.parse(str(key), BUILTIN_TASKS)) == 0
    assert await end(store, finish(held, clock, started_at=started)) == "invalidated"
    clock.advance(0.5)
    again = claim(job(key, cause="2"))
    assert await verdict_of(store, again) == "run"
    assert await end(store, finish(again, clock)) == "written"


async def test_a_wide_invalidation_makes_its_tasks_answers_old(
    store: AnswerStore, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    mine, other = fresh_key(), fresh_key("scene_detection")
    for key in (mine, other):
        held = claim(job(key))
        await store.claim([held])
        await end(store, finish(held, clock))
    clock.advance(0.5)
    invalidator = Invalidator(client, names, BUILTIN_TASKS, clock)
    assert await invalidator.invalidate(KeyPattern.parse("ctr_prediction:*", BUILTIN_TASKS)) == 1
    clock.advance(0.5)
    assert await verdict_of(store, claim(job(mine, cause="2"))) == "run"
    assert await verdict_of(store, claim(job(other, cause="2"))) == "fresh"


async def test_many_keys_in_one_call_get_their_own_verdicts(store: AnswerStore, clock: ManualClock) -> None:
    held = [claim(job(fresh_key())) for _ in range(50)]
    assert {grant.verdict for grant in await store.claim(held)} == {"run"}
    assert set(await store.finish([finish(one, clock) for one in held])) == {"written"}
    later = [claim(job(fresh_key())), *(claim(one.job) for one in held)]
    assert [grant.verdict for grant in await store.claim(later)] == ["run"] + ["fresh"] * 50


async def test_the_script_comes_back_after_redis_forgot_it(
    store: AnswerStore, client: aioredis.Redis
) -> None:
    await store.claim([claim(job(fresh_key()))])
    await client.script_flush()
    assert await verdict_of(store, claim(job(fresh_key()))) == "run"


async def test_answers_vanish_when_even_stale_is_over(
    store: AnswerStore, client: aioredis.Redis, names: RedisNames, clock: ManualClock
) -> None:
    held = claim(job(fresh_key()))
    await store.claim([held])
    await end(store, finish(held, clock))
    left = await client.pttl(names.result(held.job.key))
    assert TTL_MS < left <= TTL_MS + STALE_MS
    assert not await client.exists(names.lease(held.job.key))
