from __future__ import annotations

import asyncio

import pytest
from work_samples import queued
from work_station import Station, raises, returns

from handlers.execution import HandlerError
from streams.contracts.clock import millis
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Why
from streams.contracts.results import State
from streams.contracts.states import Status


async def test_without_the_cache_nothing_is_spent(station: Station) -> None:
    station.handler(raises(UnavailableError("the cache does not answer")))
    one = queued()
    assert await station.process(one) == 1.0
    assert (one.attempt, one.status) == (0, Status.QUEUED)


async def test_a_dead_letter_waits_for_kafka(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.work.endings.AWAY_AGAIN_S", 0.001)
    station.handler(raises(HandlerError("bug")))
    station.letters.away = True
    one = queued(created_at=millis(station.clock.now()))
    one.attempt = 2
    ending = asyncio.create_task(station.process(one))
    for _ in range(2):
        await station.letters.asked.wait()
        station.letters.asked.clear()
    assert not ending.done()
    station.letters.away = False
    assert await ending is None
    assert len(station.letters.buried) == 1


async def test_a_failed_refresh_leaves_the_usable_answer(station: Station) -> None:
    station.handler(returns(b'{"n": 1}'))
    first = queued(input_version=7)
    assert await station.process(first) is None
    station.clock.advance(10)
    station.handler(raises(HandlerError("bug")))
    now_ms = millis(station.clock.now())
    refresh = queued(input_version=7, why=Why.REFRESH, recompute=True, cause="again", created_at=now_ms)
    refresh.attempt = 2

    assert await station.process(refresh) is None

    assert len(station.letters.buried) == 1
    envelope = await station.envelope(first)
    assert envelope is not None
    assert (envelope.state, envelope.job_id) == (State.FRESH, first.job.id)
    assert not await station.is_leased(refresh)


async def test_a_worker_with_a_slow_clock_does_not_date_its_answer_back(station: Station) -> None:
    station.handler(returns(b'{"n": 1}'))
    ahead = queued(created_at=millis(station.clock.now()) + 5_000)
    assert await station.process(ahead) is None
    stored = (await station.executor.answers.stored([ahead.job.key]))[0]  # type: ignore[union-attr]
    assert stored is not None
    assert stored.started_at == ahead.job.created_at
    assert stored.compute_ms == 0
