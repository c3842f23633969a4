"""The fleet's gauges: what is known is shown, what cannot be asked becomes a gap."""

from __future__ import annotations

import math
from typing import Any

import redis.exceptions
from prometheus_client import REGISTRY

from streams.contracts.errors import UnavailableError
from streams.web.gauges import FleetGauges


class Lag:
    def __init__(self) -> None:
        self.answer: dict[str, int] | None = {}

    async def read(self) -> dict[str, int]:
        if self.answer is None:
            raise UnavailableError("Kafka does not answer")
        return self.answer


class Redis:
    def __init__(self) -> None:
        self.memory: dict[str, int] | None = {"used_memory": 10, "maxmemory": 40}

    async def info(self, _: str) -> dict[str, int]:
        if self.memory is None:
            raise redis.exceptions.ConnectionError("away")
        return self.memory


def lag_of(topic: str) -> float | None:
    return REGISTRY.get_sample_value("precompute_consumer_lag", {"topic": topic})


def memory() -> tuple[Any, Any]:
    names = ("precompute_redis_memory_used_bytes", "precompute_redis_memory_max_bytes")
    return tuple(REGISTRY.get_sample_value(name) for name in names)  # type: ignore[return-value]


async def test_lag_and_memory_are_exported() -> None:
    lag, cache = Lag(), Redis()
    lag.answer = {"t.jobs.p08": 7}
    await FleetGauges(cache, lag).export()  # type: ignore[arg-type]
    assert lag_of("t.jobs.p08") == 7
    assert memory() == (10, 40)


async def test_what_cannot_be_asked_is_a_gap_and_comes_back() -> None:
    lag, cache = Lag(), Redis()
    gauges = FleetGauges(cache, lag)  # type: ignore[arg-type]
    lag.answer = {"t.jobs.p09": 3}
    await gauges.export()
    lag.answer, cache.memory = None, None
    await gauges.export()
    assert lag_of("t.jobs.p09") is None
    assert all(math.isnan(value) for value in memory())
    lag.answer, cache.memory = {"t.jobs.p09": 4}, {"used_memory": 1, "maxmemory": 0}
    await gauges.export()
    assert lag_of("t.jobs.p09") == 4
    assert memory() == (1, 0)
