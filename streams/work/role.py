"""The worker role: everything put together from the settings, run until a signal."""

from __future__ import annotations

import os
import socket
import uuid

from handlers.config import load_handler_config
from handlers.context import load_media_policy
from handlers.registry import Registry, load_handlers
from streams.cache.batching import Batcher
from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.inputs import MirrorReader
from streams.cache.invalidation import Invalidator
from streams.cache.ledger import JobLedger
from streams.cache.names import RedisNames
from streams.cache.presence import WorkerInfo, WorkerPresence
from streams.cache.reader import AnswerReader
from streams.cache.slots import SlottedStore
from streams.cache.versions import HandlerVersions
from streams.contracts.clock import SYSTEM_CLOCK
from streams.kafka.producer import AckedProducer
from streams.ops.health import Health, HealthServer
from streams.ops.metrics import BUILD_INFO, HANDLER_INFO
from streams.ops.service import BackgroundService, Service, ServiceGroup
from streams.ops.tracing import TRACING
from streams.settings import Settings
from streams.version import VERSION
from streams.work.cancellation import CancellableExecutor, CancelWatch
from streams.work.execution import ExecutionConfig, Executor
from streams.work.leases import LeaseKeeper
from streams.work.letters import JobLetters
from streams.work.pool import CpuChildren
from streams.work.processing import JobProcessor, ProcessingConfig
from streams.work.queues import QueueConfig
from streams.work.reporting import JobReporter
from streams.work.retry import RetryPolicy
from streams.work.worker import Worker


class WorkerRole:
    """The services of a worker process, in the order they start."""

    def __init__(self, settings: Settings) -> None:
        clock = SYSTEM_CLOCK
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._settings = settings
        self._started_at = clock.now()
        BUILD_INFO.labels(VERSION, "worker").set(1)
        registry = load_handlers(settings.handler_modules)
        for task, one in registry.items():
            HANDLER_INFO.labels(task, one.version).set(1)
        names = RedisNames(settings.namespace)
        self._redis = connect(settings)
        store = SlottedStore(self._redis, names, settings.lease_s)
        self.claims = Batcher("claim", store.claim)
        self.finishes = Batcher("finish", store.finish)
        leases = LeaseKeeper(store, settings.lease_s)
        counters = FleetCounters(self._redis, names)
        ledger = JobLedger(self._redis, names, ttl_s=settings.ledger_ttl_s)
        producer = AckedProducer(settings)
        letters = JobLetters(producer, settings.topics)
        reserved = QueueConfig(slots=settings.workers).reserved
        self._pool = CpuChildren(settings.cpu_processes, reserved, settings.child_memory_mb)
        processor = JobProcessor(
            worker_id=self.id,
            tasks=registry.catalogue,
            executor=self._executor(registry, names),
            claims=self.claims,
            finishes=self.finishes,
            leases=leases,
            letters=letters,
            retries=_retry_policy(settings),
            reporter=JobReporter(ledger, counters, self.id, clock),
            config=_processing_config(settings),
            clock=clock,
            counters=counters,
        )
        self.worker = Worker(settings, processor, letters, clock)
        self.health_server = HealthServer(self._health(), settings.metrics_host, settings.metrics_port)
        self._services: list[Service] = [
            self.health_server,
            counters,
            ledger,
            producer,
            self.claims,
            self.finishes,
            leases,
            self._cancel_watch,
            self._presence(names),
            self._versions(registry, names),
            self.worker,
        ]

    def _presence(self, names: RedisNames) -> WorkerPresence:
        return WorkerPresence(self._redis, names, self._info, lambda asked: self.worker.quiet(quieted=asked))

    def _versions(self, registry: Registry, names: RedisNames) -> HandlerVersions:
        return HandlerVersions(
            self._redis,
            names,
            {task: one.version for task, one in registry.items()},
            Invalidator(self._redis, names, registry.catalogue),
        )

    def _executor(self, registry: Registry, names: RedisNames) -> Executor:
        self._cancel_watch = CancelWatch(self._redis, names)
        return CancellableExecutor(
            self._cancel_watch,
            registry=registry,
            pool=self._pool,
            answers=AnswerReader(self._redis, names),
            mirror=MirrorReader(self._redis, names),
            config=_execution_config(self._settings),
            clock=SYSTEM_CLOCK,
        )

    def _health(self) -> Health:
        health = Health()
        health.add_ready("worker", self.worker.readiness)
        health.add_ready("redis", self._redis_answers)
        return health

    @property
    def watched(self) -> list[BackgroundService]:
        """Parts without which the process must not live on."""
        return [service for service in self._services if isinstance(service, BackgroundService)]

    def group(self) -> ServiceGroup:
        return ServiceGroup(self._services)

    async def close(self) -> None:
        await self._pool.stop()
        await self._redis.aclose()
        TRACING.stop()

    def _redis_answers(self) -> str | None:
        away = self.claims.away_since or self.finishes.away_since
        return None if away is None else "Redis does not answer; jobs wait"

    def _info(self) -> WorkerInfo:
        return WorkerInfo(
            id=self.id,
            slots=self._settings.workers,
            in_progress=self.worker.in_progress,
            started_at=self._started_at,
            host=socket.gethostname(),
            pid=os.getpid(),
            quiet=self.worker.is_quiet,
            waiting=self.worker.waiting,
            oldest_wait_s=self.worker.oldest_wait_s,
        )


def _execution_config(settings: Settings) -> ExecutionConfig:
    return ExecutionConfig(
        media=load_media_policy(
            os.environ,
            roots=tuple(str(root) for root in settings.media_roots),
            hosts=settings.media_hosts,
        ),
        artifact_dir=str(settings.artifact_dir.absolute()),
        handlers=load_handler_config(os.environ),
    )


def _retry_policy(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=settings.max_attempts, base_s=settings.backoff_s, longest_s=settings.backoff_max_s
    )


def _processing_config(settings: Settings) -> ProcessingConfig:
    return ProcessingConfig(
        stale_s=settings.stale_s,
        unavailable_ttl_s=settings.unavailable_ttl_s,
        ttl_jitter=settings.ttl_jitter,
    )
