from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from work_station import Station

from streams.contracts.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def station(redis_url: str, clock: ManualClock) -> AsyncIterator[Station]:
    """A processor on a real cache, with a scripted executor and letters that are kept."""
    one = Station(redis_url, clock)
    await one.start()
    yield one
    await one.stop()
