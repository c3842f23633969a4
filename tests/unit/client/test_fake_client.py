"""The fake that users test with behaves as the client does."""

from __future__ import annotations

import inspect

import pytest

from streams.client import FakePrecompute, Precompute, ResultState
from streams.contracts.clock import ManualClock

KEY = "ctr_prediction:video:v1"


async def test_answers_what_was_put() -> None:
    client = FakePrecompute()
    client.put(KEY, {"ctr": 0.1})
    result = await client.get(KEY)
    assert result.value == {"ctr": 0.1}
    assert result.state is ResultState.FRESH
    assert result.etag


async def test_becomes_stale_with_time() -> None:
    clock = ManualClock()
    client = FakePrecompute(clock)
    client.put(KEY, 1, ttl=10)
    clock.advance(11)
    assert (await client.get(KEY)).state is ResultState.STALE
    assert (await client.get(KEY, on_miss="stale")).value == 1
    assert client.asked == [KEY]


@pytest.mark.parametrize(
    ("on_miss", "state", "asked"),
    [
        ("none", ResultState.MISS, []),
        ("stale", ResultState.MISS, []),
        ("compute", ResultState.COMPUTING, [KEY]),
    ],
)
async def test_a_miss_asks_only_where_the_client_would(
    on_miss: str, state: ResultState, asked: list[str]
) -> None:
    client = FakePrecompute()
    assert (await client.get(KEY, on_miss=on_miss)).state is state  # type: ignore[arg-type]
    assert client.asked == asked


async def test_who_waits_gets_what_arrives() -> None:
    client = FakePrecompute()
    client.arrives(KEY, 7)
    assert (await client.get(KEY, on_miss="wait")).value == 7


async def test_a_cache_that_is_away_is_a_miss_with_a_reason() -> None:
    client = FakePrecompute()
    client.put(KEY, 1)
    client.take_away()
    result = await client.get(KEY)
    assert (result.state, result.reason) == (ResultState.MISS, "cache_away")
    client.bring_back()
    assert (await client.get(KEY)).value == 1


async def test_a_function_computes_what_is_missing() -> None:
    async def compute(key: str) -> str:
        return key.upper()

    result = await FakePrecompute().get(KEY, on_miss=compute)
    assert (result.value, result.source) == (KEY.upper(), "local")


def test_takes_the_same_arguments_as_the_client() -> None:
    assert list(inspect.signature(FakePrecompute.get).parameters) == list(
        inspect.signature(Precompute.get).parameters
    )
