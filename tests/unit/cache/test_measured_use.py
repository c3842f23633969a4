from __future__ import annotations

import redis.asyncio as aioredis
from hypothesis import given
from hypothesis import strategies as st

from streams.cache.names import RedisNames
from streams.cache.reads import FirstReads, ReadTally
from streams.cache.uses import (
    EXPLORED,
    FEWEST,
    REMEMBERED,
    MeasuredUse,
    ahead_field,
    is_explored,
    used_field,
)
from streams.contracts.jobs import Why
from tests.support.answers import put_answer, stored_answer

TASK = "dashboard_data"


def counted(ahead: float, used: float, why: str = "login") -> dict[str, float]:
    return {ahead_field(TASK, why): ahead, used_field(TASK, why): used, "events": 7.0}


def test_nothing_is_said_before_there_are_enough() -> None:
    use = MeasuredUse()
    use.update(counted(FEWEST - 1, 10))
    assert use.share(TASK, "login") is None
    use.update(counted(FEWEST, 10))
    assert use.share(TASK, "login") == 10 / FEWEST
    assert use.share(TASK, "refresh") is None, "a cause by itself"


@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 1)), max_size=20))
def test_a_share_is_one_whatever_comes(steps: list[tuple[int, float]]) -> None:
    """Counters only grow, but for a Redis that lost them; reads lag behind and may overtake."""
    use = MeasuredUse()
    for ahead, part in steps:
        use.update(counted(ahead, round(ahead * part)))
        share = use.share(TASK, "login")
        assert share is None or 0.0 <= share <= 1.0


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_it_comes_to_what_is_read_now(before: float, now: float) -> None:
    use = MeasuredUse()
    use.update(counted(10_000, 10_000 * before))
    for turn in range(1, 101):
        use.update(counted(10_000 + 100 * turn, 10_000 * before + 100 * turn * now))
    share = use.share(TASK, "login")
    assert share is not None
    assert abs(share - now) < 0.01, "ten times what is remembered later, the past is forgotten"


def test_an_emptied_redis_begins_anew() -> None:
    use = MeasuredUse()
    use.update(counted(REMEMBERED, REMEMBERED))
    use.update(counted(10, 0))
    assert use.share(TASK, "login") == REMEMBERED / (REMEMBERED + 10)


def test_the_explored_are_a_share_and_always_the_same() -> None:
    drawn = [is_explored(f"e{n}") for n in range(20_000)]
    assert abs(sum(drawn) / len(drawn) - EXPLORED) < 0.006
    assert drawn == [is_explored(f"e{n}") for n in range(20_000)]


async def test_first_reads_are_told_by_what_asked_for_the_answer(
    client: aioredis.Redis, names: RedisNames
) -> None:
    tally = ReadTally(names)
    for name, why in (("a", Why.LOGIN), ("b", Why.LOGIN), ("c", Why.REFRESH), ("d", Why.DEMAND)):
        stored = stored_answer(f"{TASK}:user:{name}", 1, why=why, compute_ms=2000.0)
        await put_answer(client, names, stored)
        tally.note(stored.key, 1, stored.compute_ms, stored.why)
    found = await tally.flush(client)
    assert sorted(found, key=lambda one: one.why) == [
        FirstReads(TASK, "login", 2, 4.0),
        FirstReads(TASK, "refresh", 1, 2.0),
    ]
    tally.note(f"{TASK}:user:a", 2, 2000.0, "login")
    assert await tally.flush(client) == [], "read a second time"
