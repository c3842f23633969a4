from __future__ import annotations

import asyncio

import pytest
from work_samples import queued
from work_station import Station, raises

from handlers.execution import HandlerError
from streams.contracts.clock import millis
from streams.contracts.errors import UnavailableError
from streams.contracts.states import Status


async def test_without_the_cache_nothing_is_spent(station: Station) -> None:
    station.handler(raises(UnavailableError("the cache does not answer")))
    one = queued()
    assert await station.processor.process(one) == 1.0
    assert (one.attempt, one.status) == (0, Status.QUEUED)


async def test_a_dead_letter_waits_for_kafka(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.work.endings.AWAY_AGAIN_S", 0.001)
    station.handler(raises(HandlerError("bug")))
    station.letters.away = True
    one = queued(created_at=millis(station.clock.now()))
    one.attempt = 2
    ending = asyncio.create_task(station.processor.process(one))
    for _ in range(2):
        await station.letters.asked.wait()
        station.letters.asked.clear()
    assert not ending.done()
    station.letters.away = False
    assert await ending is None
    assert len(station.letters.buried) == 1
