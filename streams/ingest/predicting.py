"""The predictor's parts in the streams role, put together where the setting leaves it on."""

from __future__ import annotations

import msgspec
import redis.asyncio as aioredis

from handlers.manifest import Manifest
from predictor.actions import BUILTIN_ACTIONS, ActionRegistry, ActionSpec
from predictor.holdout import HoldoutConfig
from predictor.policy import PolicyConfig
from predictor.serving import ServingModel
from streams.cache.counters import FleetCounters
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.ingest.anticipation import Anticipation, Anticipator, NoAnticipation
from streams.ingest.challengers import Challengers
from streams.ingest.conditions import Conditions, ConditionsConfig
from streams.ingest.lifts import LiftReader
from streams.ingest.scoring import PredictionScores
from streams.ingest.shadowing import Shadowing
from streams.ingest.speculation import SpeculationConfig, Speculator
from streams.ingest.upkeep import PredictorUpkeep
from streams.ops.service import Service
from streams.settings import Settings


class Predicting(msgspec.Struct, frozen=True):
    """What the stream asks, and what runs beside it."""

    anticipation: Anticipation
    services: tuple[Service, ...] = ()


def build_predicting(
    settings: Settings,
    declared: Manifest,
    redis: aioredis.Redis,
    names: RedisNames,
    counters: FleetCounters,
) -> Predicting:
    """Without the predictor no model is loaded: its libraries take a third of the role's memory."""
    if not settings.predictor:
        return Predicting(NoAnticipation())
    clock = SYSTEM_CLOCK
    model, scores, shadowing = ServingModel(settings.model_store), PredictionScores(clock), Shadowing()
    actions = known_actions(declared)
    conditions = Conditions(scores, actions, _conditions_config(settings), clock)
    config = _speculation_config(settings)
    speculator = Speculator(model, actions, conditions, config)
    upkeep = PredictorUpkeep(
        model=model,
        challengers=Challengers(settings.model_store, model, shadowing),
        scores=scores,
        conditions=conditions,
        lifts=LiftReader(redis, names, config.holdout),
        redis=redis,
        names=names,
        counters=counters,
        tasks=tuple(declared.catalogue),
        clock=clock,
    )
    return Predicting(Anticipator(model, speculator, scores, shadowing), (upkeep,))


def known_actions(declared: Manifest) -> ActionRegistry:
    """The built-in actions, and what the handlers' own `answers` add to them."""
    specs = dict(BUILTIN_ACTIONS)
    for action, tasks in declared.answers.items():
        known = specs.get(action)
        own = tuple(task for task in tasks if known is None or task not in known.tasks)
        entity = declared.catalogue[tasks[0]].entity
        specs[action] = (
            msgspec.structs.replace(known, tasks=(*known.tasks, *own))
            if known is not None
            else ActionSpec(name=action, entity=entity, tasks=own)
        )
    return ActionRegistry(specs.values(), tasks=declared.catalogue)


def _conditions_config(settings: Settings) -> ConditionsConfig:
    return ConditionsConfig(
        enabled=settings.predictor,
        act_above=settings.act_above,
        user_budget=settings.predicted_jobs_per_user,
        global_budget_s=settings.predicted_budget_s,
    )


def _speculation_config(settings: Settings) -> SpeculationConfig:
    return SpeculationConfig(
        job_ttl_ms=millis(settings.predicted_job_ttl_s),
        holdout=HoldoutConfig(fraction=settings.holdout, salt=settings.holdout_salt),
        policy=PolicyConfig(user_budget=settings.predicted_jobs_per_user, load_penalty=settings.load_penalty),
    )
