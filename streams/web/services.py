"""What the API's endpoints work with, put together once from the settings."""

from __future__ import annotations

from handlers.registry import load_manifest
from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.inputs import MirrorReader
from streams.cache.invalidation import Invalidator
from streams.cache.job_search import JobSearch
from streams.cache.ledger import JobLedger, LedgerReader
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.cache.scorecards import Scorecards
from streams.contracts.holdout import HoldoutConfig
from streams.contracts.triggers import trigger_table
from streams.kafka.lag import GroupLag
from streams.kafka.producer import AckedProducer
from streams.ops.health import Health, HealthServer
from streams.ops.service import Service, ServiceGroup
from streams.settings import Settings
from streams.web.audit import AuditLog
from streams.web.batches import BATCHES_EVERY_S, BatchRunner, BatchStore
from streams.web.demand import DemandDesk
from streams.web.forecast import Forecast
from streams.web.gauges import FleetGauges
from streams.web.groups import GroupReads
from streams.web.idempotency import IdempotentRequests
from streams.web.intake import EventPublisher, JobRequester
from streams.web.keys import KeyStore
from streams.web.leadership import Chore, ChoreService
from streams.web.letter_marks import LetterMarks
from streams.web.letters import LetterBox
from streams.web.off_peak import OffPeak
from streams.web.oidc import TokenIntrospection
from streams.web.operations import Operations, Workshop
from streams.web.reading import CountedReader
from streams.web.refresh import Refresher
from streams.web.replay import Replayer
from streams.web.statistics import FleetStatistics, StatisticsSources
from streams.web.upkeep import UPKEEP_EVERY_S, RefreshConfig, Upkeep
from streams.web.waiting import AnswerWaiter


class WebServices:
    """The parts, in the order they depend on each other; `start` and `stop` run those that run."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        declared = load_manifest(settings.handler_modules)
        self.tasks = declared.catalogue
        self.names = RedisNames(settings.namespace)
        self.redis = connect(settings)
        self.triggers = trigger_table(declared.triggers, self.tasks)
        self._make_readers()
        self._make_writers()
        self._make_actions()
        self.health = Health()
        self._group = ServiceGroup(self._running())

    async def start(self) -> None:
        await self._group.start()

    async def stop(self) -> None:
        await self._group.stop()
        await self.tokens.close()
        await self.redis.aclose()

    async def redis_problem(self) -> str | None:
        """None where Redis answers, else why it does not."""
        try:
            await self.redis.ping()
        except Exception as exc:  # noqa: BLE001 (whatever it is, it is the answer)
            return f"Redis does not answer: {exc}"
        return None

    async def kafka_problem(self) -> str | None:
        """None where Kafka answers, else why it does not."""
        try:
            await self.lag.read()
        except Exception as exc:  # noqa: BLE001 (as above)
            return str(exc)
        return None

    def _make_readers(self) -> None:
        settings, redis, names = self.settings, self.redis, self.names
        self.counters = FleetCounters(redis, names)
        self.reader = AnswerReader(redis, names)
        groups = GroupReads(
            names,
            self.counters,
            HoldoutConfig(fraction=settings.holdout, salt=settings.holdout_salt),
        )
        self.reads = CountedReader(redis, names, reader=self.reader, counters=self.counters, groups=groups)
        self.waiter = AnswerWaiter(redis, names, self.reader, settings.max_waiters)
        self.mirror = MirrorReader(redis, names)
        self.ledger = LedgerReader(redis, names, self.tasks)
        self.search = JobSearch(redis, names, ledger=self.ledger, tasks=list(self.tasks))
        self.lag = GroupLag(settings, settings.group_worker, settings.topics.all_jobs)
        self.statistics = FleetStatistics(
            StatisticsSources(
                redis=redis,
                names=names,
                tasks=self.tasks,
                counters=self.counters,
                ledger=self.ledger,
                lag=self.lag,
                topics=settings.topics,
            )
        )
        self.forecast = Forecast(settings, Scorecards(redis, names), self.counters)
        self.letters = {
            "jobs": LetterBox(settings, settings.topics.jobs_dlq),
            "events": LetterBox(settings, settings.topics.events_dlq),
        }

    def _make_writers(self) -> None:
        settings, redis, names = self.settings, self.redis, self.names
        self.producer = AckedProducer(settings)
        self.ledger_writer = JobLedger(redis, names, ttl_s=settings.ledger_ttl_s)
        self.invalidator = Invalidator(redis, names, self.tasks)
        self.events = EventPublisher(self.producer, settings.topics, self.triggers)
        self.jobs = JobRequester(
            self.producer,
            settings.topics,
            mirror=self.mirror,
            ledger=self.ledger_writer,
            counters=self.counters,
        )
        self.refresher = Refresher(redis, names, jobs=self.jobs, mirror=self.mirror, stale_s=settings.stale_s)
        self.demand = DemandDesk(redis, names, jobs=self.jobs, quiet_s=settings.demand_quiet_s)
        self.marks = LetterMarks(redis, names)
        self.replayer = Replayer(
            self.marks,
            producer=self.producer,
            topics=settings.topics,
            reader=self.reader,
            invalidator=self.invalidator,
            ledger=self.ledger_writer,
        )
        self.batches = BatchStore(redis, names)

    def _make_actions(self) -> None:
        self.keys = KeyStore(self.redis, self.names)
        self.tokens = TokenIntrospection(self.settings)
        self.audit = AuditLog(self.redis, self.names)
        self.idempotent = IdempotentRequests(self.redis, self.names)
        self.operations = Operations(
            Workshop(
                redis=self.redis,
                names=self.names,
                tasks=self.tasks,
                audit=self.audit,
                counters=self.counters,
                invalidator=self.invalidator,
                refresher=self.refresher,
                jobs=self.jobs,
                ledger=self.ledger,
                ledger_writer=self.ledger_writer,
                search=self.search,
                replayer=self.replayer,
                marks=self.marks,
            )
        )

    def _running(self) -> list[Service]:
        settings = self.settings
        running: list[Service] = [
            HealthServer(self.health, settings.metrics_host, settings.metrics_port, may_be_taken=True),
            self.counters,
            self.ledger_writer,
            self.producer,
            self.reads,
            self.waiter,
            FleetGauges(self.redis, self.lag),
        ]
        return running if settings.read_only else [*running, *self._chores()]

    def _chores(self) -> list[Service]:
        """What one API process does for all of them."""
        settings, redis, names = self.settings, self.redis, self.names
        off_peak = OffPeak(settings.off_peak)
        upkeep = Upkeep(
            redis,
            names,
            tasks=self.tasks,
            counters=self.counters,
            demand=self.demand,
            config=RefreshConfig(
                every_s=settings.refresh_every_s,
                ahead_s=settings.refresh_ahead_s,
                worth=settings.refresh_worth,
                budget_s=settings.refresh_budget_s,
                stale_s=settings.stale_s,
                off_peak=off_peak,
                weighed=settings.triggers == "weighed",
            ),
        )
        runner = BatchRunner(
            store=self.batches,
            jobs=self.jobs,
            lag=self.lag,
            topics=settings.topics,
            tasks=self.tasks,
            off_peak=off_peak,
        )
        return [
            ChoreService(Chore(redis, names, "upkeep"), upkeep.turn, every_s=UPKEEP_EVERY_S),
            ChoreService(Chore(redis, names, "batches"), runner.turn, every_s=BATCHES_EVERY_S),
        ]
