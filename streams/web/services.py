"""What the API's endpoints work with, put together once from the settings."""

from __future__ import annotations

from handlers.registry import load_handlers
from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.inputs import MirrorReader
from streams.cache.invalidation import Invalidator
from streams.cache.ledger import JobLedger, LedgerReader
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.contracts.triggers import BUILTIN_TRIGGERS, TriggerTable
from streams.kafka.lag import GroupLag
from streams.kafka.producer import AckedProducer
from streams.ops.health import Health, HealthServer
from streams.ops.service import Service, ServiceGroup
from streams.settings import Settings
from streams.web.gauges import FleetGauges
from streams.web.intake import EventPublisher, JobRequester
from streams.web.refresh import Refresher
from streams.web.statistics import FleetStatistics, StatisticsSources
from streams.web.waiting import AnswerWaiter


class WebServices:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        registry = load_handlers(settings.handler_modules)
        names = RedisNames(settings.namespace)
        redis = connect(settings)
        self.tasks = registry.catalogue
        self.producer = AckedProducer(settings)
        self.counters = FleetCounters(redis, names)
        ledger = JobLedger(redis, names, ttl_s=settings.ledger_ttl_s)
        self.reader = AnswerReader(redis, names)
        self.mirror = MirrorReader(redis, names)
        self.waiter = AnswerWaiter(redis, names, self.reader, settings.max_waiters)
        self.invalidator = Invalidator(redis, names, self.tasks)
        self.ledger = LedgerReader(redis, names, self.tasks)
        triggers = TriggerTable([*BUILTIN_TRIGGERS, *registry.triggers], self.tasks)
        self.events = EventPublisher(self.producer, settings.topics, triggers)
        self.jobs = JobRequester(
            self.producer,
            settings.topics,
            mirror=self.mirror,
            ledger=ledger,
            counters=self.counters,
        )
        self.refresher = Refresher(redis, names, jobs=self.jobs, mirror=self.mirror, stale_s=settings.stale_s)
        lag = GroupLag(settings, settings.group_worker, settings.topics.all_jobs)
        self.gauges = FleetGauges(redis, lag)
        self.statistics = FleetStatistics(
            StatisticsSources(
                redis=redis,
                names=names,
                tasks=self.tasks,
                counters=self.counters,
                ledger=self.ledger,
                lag=lag,
                topics=settings.topics,
            )
        )
        self.health = Health()
        self._redis = redis
        self._services: list[Service] = [
            HealthServer(self.health, settings.metrics_host, settings.metrics_port, may_be_taken=True),
            self.counters,
            ledger,
            self.producer,
            self.waiter,
            self.gauges,
        ]
        self._group = ServiceGroup(self._services)

    async def start(self) -> None:
        await self._group.start()

    async def stop(self) -> None:
        await self._group.stop()
        await self._redis.aclose()

    async def redis_problem(self) -> str | None:
        """None where Redis answers, else why it does not."""
        try:
            await self._redis.ping()
        except Exception as exc:  # noqa: BLE001 (whatever it is, it is the answer)
            return f"Redis does not answer: {exc}"
        return None
