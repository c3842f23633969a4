"""Everything of the streams role that is not Faust, put together once from the settings."""

from __future__ import annotations

from collections.abc import Callable

from handlers.manifest import Manifest
from handlers.registry import load_manifest
from predictor.history import History
from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.inputs import NOBODY
from streams.cache.ledger import JobLedger
from streams.cache.names import RedisNames
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.triggers import trigger_table
from streams.ingest.anticipation import Anticipation
from streams.ingest.freshness import FreshnessFilter
from streams.ingest.mirror import Mirror, TableRows
from streams.ingest.output import SliceOutput
from streams.ingest.predicting import build_predicting
from streams.ingest.publishing import SlicePublisher
from streams.ingest.slices import SliceProcessor
from streams.ingest.speculation import Asked
from streams.ingest.state import Inputs
from streams.ingest.weighing import TriggerWeighing, WeighingUpkeep, weighing_of
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
        self.freshness = FreshnessFilter(redis, names, SYSTEM_CLOCK)
        predicting = build_predicting(settings, declared, redis, names, self.counters)
        self.anticipation = predicting.anticipation
        weighing = weighing_of(settings, SYSTEM_CLOCK)
        self.processor = _processor(settings, declared, self.anticipation, weighing)
        self.publisher = SlicePublisher(self.output, settings.topics, self.counters)
        self.mirror = Mirror(redis, names, declared.catalogue, self.ledger)
        self._redis = redis
        self._services = ServiceGroup(
            [
                HealthServer(self.health, settings.metrics_host, settings.metrics_port),
                self.counters,
                self.ledger,
                *predicting.services,
                *([WeighingUpkeep(weighing, redis, names, self.counters)] if weighing is not None else []),
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
        for found in self.anticipation.speculate([asked], Inputs({}), now_ms):
            self.mirror.show(found.shown)

    async def stop(self) -> None:
        self.output.close()
        await self.mirror.stop()
        await self._services.stop()
        await self._redis.aclose()


def _processor(
    settings: Settings, declared: Manifest, anticipation: Anticipation, weighing: TriggerWeighing | None
) -> SliceProcessor:
    triggers = trigger_table(declared.triggers, declared.catalogue)
    return SliceProcessor(
        triggers=triggers,
        tasks=declared.catalogue,
        anticipation=anticipation,
        partitions=settings.partitions,
        most_entities=settings.entities_per_user,
        clock=SYSTEM_CLOCK,
        weighing=weighing,
    )
