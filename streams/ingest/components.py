"""Everything of the streams role that is not Faust, put together once from the settings."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from handlers.manifest import Manifest
from handlers.registry import load_manifest
from predictor.actions import BUILTIN_ACTIONS, ActionRegistry, ActionSpec
from predictor.history import History
from predictor.holdout import HoldoutConfig
from predictor.model import Model
from predictor.policy import PolicyConfig
from predictor.serving import ServingModel
from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.inputs import NOBODY
from streams.cache.ledger import JobLedger
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.triggers import trigger_table
from streams.ingest.conditions import Conditions
from streams.ingest.freshness import FreshnessFilter
from streams.ingest.mirror import Mirror, TableRows
from streams.ingest.output import SliceOutput
from streams.ingest.publishing import SlicePublisher
from streams.ingest.scoring import PredictionScores
from streams.ingest.slices import SliceProcessor
from streams.ingest.speculation import Asked, SpeculationConfig, Speculator
from streams.ingest.state import Inputs
from streams.ingest.upkeep import PredictorUpkeep
from streams.ops.health import Health, HealthServer
from streams.ops.metrics import BUILD_INFO
from streams.ops.service import ServiceGroup
from streams.settings import Settings
from streams.version import VERSION


class Components:
    """The parts of the streams role; `start` before Faust starts, `stop` after it stopped."""

    def __init__(self, settings: Settings) -> None:
        declared = load_manifest(settings.handler_modules)
        names = RedisNames(settings.namespace)
        redis = connect(settings)
        self.gap_ms = millis(settings.session_gap_s)
        self.health = Health()
        self.output = SliceOutput(settings)
        self.counters = FleetCounters(redis, names)
        self.ledger = JobLedger(redis, names, ttl_s=settings.ledger_ttl_s)
        self.scores = PredictionScores()
        self.freshness = FreshnessFilter(redis, names, SYSTEM_CLOCK)
        model = ServingModel(settings.model_store)
        actions = known_actions(declared)
        conditions = _conditions(settings, self.scores, actions)
        self.speculator = _speculator(settings, model, conditions, actions)
        self.processor = _processor(settings, declared, self.speculator, self.scores)
        self.publisher = SlicePublisher(self.output, settings.topics, self.counters)
        self.mirror = Mirror(redis, names, declared.catalogue, self.ledger)
        self._redis = redis
        self._services = ServiceGroup(
            [
                HealthServer(self.health, settings.metrics_host, settings.metrics_port),
                self.counters,
                self.ledger,
                PredictorUpkeep(
                    model=model,
                    scores=self.scores,
                    conditions=conditions,
                    redis=redis,
                    names=names,
                    counters=self.counters,
                    tasks=declared.catalogue,
                    holdout=_holdout(settings),
                    clock=SYSTEM_CLOCK,
                ),
            ]
        )

    async def start(self) -> None:
        BUILD_INFO.labels(VERSION, "streams").set(1)
        self.output.open()
        await self._services.start()

    async def start_mirror(self, rows: Callable[[], TableRows]) -> None:
        """Once the tables are recovered; also shows readers what is predicted for a user nobody has seen."""
        self.mirror.rows = rows
        await self.mirror.start()
        asked = Asked(NOBODY, History(NOBODY, gap_ms=self.gap_ms), "", frozenset())
        now_ms = millis(SYSTEM_CLOCK.now())
        for found in self.speculator.speculate([asked], Inputs({}), now_ms):
            self.mirror.show(found.shown)

    async def stop(self) -> None:
        self.output.close()
        await self.mirror.stop()
        await self._services.stop()
        await self._redis.aclose()


def _holdout(settings: Settings) -> HoldoutConfig:
    return HoldoutConfig(fraction=settings.holdout, salt=settings.holdout_salt)


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


def _conditions(settings: Settings, scores: PredictionScores, actions: ActionRegistry) -> Conditions:
    return Conditions(
        scores,
        actions,
        enabled=settings.predictor,
        act_above=settings.act_above,
        user_budget=settings.predicted_jobs_per_user,
        clock=SYSTEM_CLOCK,
    )


def _speculator(
    settings: Settings, model: Model, conditions: Conditions, actions: ActionRegistry
) -> Speculator:
    config = SpeculationConfig(
        job_ttl_ms=millis(settings.predicted_job_ttl_s),
        holdout=_holdout(settings),
        policy=PolicyConfig(user_budget=settings.predicted_jobs_per_user),
    )
    return Speculator(model, actions, conditions, config)


def _processor(
    settings: Settings, declared: Manifest, speculator: Speculator, scores: PredictionScores
) -> SliceProcessor:
    triggers = trigger_table(declared.triggers, declared.catalogue)
    return SliceProcessor(
        triggers=triggers,
        tasks=declared.catalogue,
        speculator=speculator,
        scores=scores,
        partitions=settings.partitions,
        most_entities=settings.entities_per_user,
        clock=SYSTEM_CLOCK,
        predicts=settings.predictor,
    )
