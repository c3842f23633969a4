from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from streams.cache import batching
from streams.cache.batching import MOST_A_BATCH, Batcher


class Server:
    """What a batcher sends to: answers at once, holds a call, or is away."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.called = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def send(self, items: Sequence[int]) -> list[str]:
        self.batches.append(list(items))
        self.called.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return [str(item) for item in items]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def batcher(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Batcher[int, str]]:
    monkeypatch.setattr(batching, "FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr(batching, "LAST_FLUSH_S", 0.05)
    one = Batcher("test", server.send)
    await one.start()
    yield one
    await one.stop()


async def test_everybody_gets_its_own_answer(batcher: Batcher[int, str]) -> None:
    assert await asyncio.gather(*map(batcher.submit, range(1000))) == [str(n) for n in range(1000)]


async def test_calls_that_arrive_meanwhile_share_the_next_round_trip(
    batcher: Batcher[int, str], server: Server
) -> None:
    server.open.clear()
    first = batcher.submit(0)
    await server.called.wait()
    later = [batcher.submit(n) for n in range(1, MOST_A_BATCH + 2)]
    server.open.set()
    await asyncio.gather(first, *later)
    assert [len(batch) for batch in server.batches] == [1, MOST_A_BATCH, 1]


async def test_while_redis_is_away_callers_wait_and_nothing_is_dropped(
    batcher: Batcher[int, str], server: Server
) -> None:
    server.error = ConnectionError("away")
    waiting = batcher.submit(7)
    await server.called.wait()
    server.called.clear()
    await server.called.wait()
    assert batcher.away_since is not None
    assert not waiting.done()

    server.error = None
    assert await waiting == "7"
    assert batcher.away_since is None
    assert set(map(tuple, server.batches)) == {(7,)}


async def test_a_caller_that_left_does_not_disturb_the_others(
    batcher: Batcher[int, str], server: Server
) -> None:
    server.open.clear()
    gone, stays = batcher.submit(1), batcher.submit(2)
    await server.called.wait()
    gone.cancel()
    server.open.set()
    assert await stays == "2"


async def test_a_stop_sends_what_is_still_here(server: Server) -> None:
    batcher = Batcher("test", server.send)
    await batcher.start()
    last = [batcher.submit(n) for n in range(3)]
    await batcher.stop()
    assert [future.result() for future in last] == ["0", "1", "2"]


async def test_a_stop_without_redis_lets_its_callers_go(batcher: Batcher[int, str], server: Server) -> None:
    server.error = ConnectionError("away")
    in_flight = batcher.submit(1)
    await server.called.wait()
    behind = batcher.submit(2)
    await batcher.stop()
    for future in (in_flight, behind):
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(future, 1.0)


async def test_a_bug_reaches_the_callers_and_whoever_watches(
    batcher: Batcher[int, str], server: Server
) -> None:
    server.error = ValueError("not fit for Redis")
    with pytest.raises(ValueError, match="not fit"):
        await batcher.submit(1)
    assert batcher.failed is not None
    assert isinstance(await asyncio.wait_for(batcher.failed, 1.0), ValueError)


async def test_groups_stay_together_and_get_their_answers_in_one_list(
    batcher: Batcher[int, str], server: Server
) -> None:
    server.open.clear()
    first = batcher.submit(0)
    await server.called.wait()
    size = MOST_A_BATCH // 2 + 1
    groups = [batcher.submit_many(range(start, start + size)) for start in (100, 1000)]
    alone = batcher.submit(7)
    huge = batcher.submit_many(range(MOST_A_BATCH * 2))
    server.open.set()
    assert await first == "0"
    assert await groups[0] == [str(n) for n in range(100, 100 + size)]
    assert await groups[1] == [str(n) for n in range(1000, 1000 + size)]
    assert await alone == "7"
    assert len(await huge) == MOST_A_BATCH * 2
    assert [len(batch) for batch in server.batches] == [1, size, size + 1, MOST_A_BATCH * 2]
