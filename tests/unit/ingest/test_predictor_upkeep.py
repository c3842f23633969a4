"""What runs beside the stream: it reads the fleet's state, and tells it how the predictor does."""

from __future__ import annotations

import msgspec
import pytest
import redis.asyncio as aioredis

from handlers.registry import load_manifest
from predictor.history import Action, History
from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.cache.presence import WorkerInfo
from streams.cache.scorecards import Scorecards
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.ingest.anticipation import NoAnticipation
from streams.ingest.predicting import Predicting, build_predicting
from streams.ingest.speculation import Asked
from streams.ingest.state import Inputs
from streams.ingest.upkeep import PredictorUpkeep
from streams.local.valkey import LocalValkey
from streams.settings import Settings

NAMES = RedisNames("upkeep")


def build(client: aioredis.Redis, **settings: object) -> Predicting:
    made = Settings(namespace=NAMES.namespace, **settings)  # type: ignore[arg-type]
    return build_predicting(made, load_manifest(environ={}), client, NAMES, FleetCounters(client, NAMES))


def upkeep_of(predicting: Predicting) -> PredictorUpkeep:
    (service,) = predicting.services
    assert isinstance(service, PredictorUpkeep)
    return service


def reasons(predicting: Predicting, user: str = "u1") -> list[str | None]:
    history = History(user)
    history.append(Action("view_roas", 1))
    asked = [Asked(user, history, "s/1", frozenset())]
    (found,) = predicting.anticipation.speculate(asked, Inputs({}), millis(SYSTEM_CLOCK.now()))
    return [one.why_not for one in found.shown.predictions]


async def beat(client: aioredis.Redis, *, in_progress: int) -> None:
    info = WorkerInfo(
        id="w1", slots=2, in_progress=in_progress, started_at=0.0, host="h", pid=1, oldest_wait_s=1.0
    )
    await client.set(NAMES.worker("w1"), msgspec.json.encode(info))
    await client.zadd(NAMES.workers, {"w1": 1})


def test_a_predictor_switched_off_by_its_setting_is_not_built() -> None:
    client = connect(Settings())
    predicting = build(client, predictor=False)
    assert isinstance(predicting.anticipation, NoAnticipation)
    assert predicting.services == ()


async def test_the_switch_in_redis_is_heard_and_shown(client: aioredis.Redis) -> None:
    predicting = build(client)
    upkeep = upkeep_of(predicting)
    await client.set(NAMES.predictor_off, "1")
    await upkeep.look()
    assert "switched_off" in reasons(predicting)
    (card,) = await Scorecards(client, NAMES).read(millis(SYSTEM_CLOCK.now()))
    assert card.off_because == "switched off"
    await client.delete(NAMES.predictor_off)
    await upkeep.look()
    assert "switched_off" not in reasons(predicting)


async def test_the_scorecard_tells_load_budget_and_training(client: aioredis.Redis) -> None:
    predicting = build(client, predicted_budget_s=1200.0)
    upkeep = upkeep_of(predicting)
    await beat(client, in_progress=2)
    for loss in [0.5] * 400 + [2.5] * 400:
        upkeep._scores.drift.add("v", loss)
    await upkeep.look()
    (card,) = await Scorecards(client, NAMES).read(millis(SYSTEM_CLOCK.now()))
    assert card.drifts >= 1
    assert card.training_wanted_since is not None
    assert card.predicted_seconds_left == pytest.approx(100.0, abs=5.0)
    assert card.load == 0.0, "one look says nothing of minutes"
    assert card.shadow is None
    assert [one.n for one in card.bins] == [0] * 15, "no outcome yet, and bins that other cards add to"


async def test_another_process_s_spending_is_heard(client: aioredis.Redis) -> None:
    predicting = build(client)
    window = int(SYSTEM_CLOCK.now() // 300)
    for one in (window, window + 1):
        await client.set(NAMES.predicted_seconds(one), "1000000")
    await upkeep_of(predicting).look()
    assert "global_budget" in reasons(predicting) or "not_worth_it" in reasons(predicting)
    assert upkeep_of(predicting)._conditions.budget.left == 0.0


async def test_without_redis_everything_stays_as_it_was(own_valkey: LocalValkey) -> None:
    client = connect(Settings(redis_url=own_valkey.url))
    predicting = build(client)
    upkeep = upkeep_of(predicting)
    await client.set(NAMES.predictor_off, "1")
    await upkeep.look()
    own_valkey.stop()
    await upkeep.look()
    assert "switched_off" in reasons(predicting)
    await client.aclose()
