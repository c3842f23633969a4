"""The Faust application: one agent over the three event topics, its tables, and what runs beside it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import faust
import structlog
from mode.supervisors import CrashingSupervisor

from streams.contracts.clock import millis
from streams.ingest.components import Components
from streams.ingest.effects import Effects
from streams.ingest.mirror import TableRows
from streams.ingest.source import SliceSchema, SliceTransport, slice_scheduler
from streams.ingest.state import Inputs, UserStates
from streams.ingest.tables import SliceTable
from streams.kafka.config import checked, ssl_context
from streams.kafka.topics import TopicAdmin
from streams.ops.logging import configure_logging
from streams.ops.metrics import CONSUMER_LAG, EVENT_TO_JOB, REBALANCES
from streams.ops.process import settle_garbage
from streams.ops.tracing import TRACING
from streams.settings import Settings

_log = structlog.get_logger(__name__)

#: Faust's default of 60 leaves a partition without an owner for a minute after a kill -9.
SESSION_TIMEOUT_S = 10
#: Slices waiting for the agent; bounds memory to this times `events_per_batch` records a partition.
QUEUED_SLICES = 8
LAG_EVERY_S = 5.0


class StreamsApp(faust.App):  # type: ignore[misc]
    """Faust's app with the sliced source, and the project's services around its life."""

    def __init__(self, settings: Settings) -> None:
        self.precompute = settings
        self.sliced_topics = frozenset(settings.topics.events)
        self.components = Components(settings)
        super().__init__(
            settings.group_streams,
            **_faust_config(settings, self.sliced_topics),
        )
        self.transport = SliceTransport(self.conf.broker_consumer, self)
        self.users = self._table("users")
        self.inputs = self._table("inputs")
        self.on_rebalance_complete.connect(self._hold_flow)
        self._declare_agent()
        self._declare_health()

    def _table(self, name: str) -> SliceTable:
        table: SliceTable = self.Table(name, partitions=self.precompute.partitions)
        return table

    async def on_start(self) -> None:
        configure_logging(self.precompute, "streams")
        # Faust itself would idle on a missing input and retry for ever on a missing output.
        await asyncio.to_thread(TopicAdmin(self.precompute).require)
        await self.components.start()
        settle_garbage()
        await super().on_start()

    async def on_stop(self) -> None:
        await super().on_stop()
        await self.components.stop()
        TRACING.stop()

    def _hold_flow(self, *_: Any, **__: Any) -> None:
        """After a restart Faust may resume before its offsets are set, and then never commit (#596)."""
        REBALANCES.inc()
        self.consumer.stop_flow()
        self.flow_control.suspend()
        self.components.mirror.write_again()

    def _declare_agent(self) -> None:
        topic = self.topic(*self.precompute.topics.events, schema=SliceSchema())
        # The keyword of the same name is ignored.
        topic.maxsize = QUEUED_SLICES

        @self.agent(topic, name="events", supervisor_strategy=CrashingSupervisor)  # type: ignore[untyped-decorator]
        async def events(stream: Any) -> None:
            # An exception ends the process with the offset where it was: nothing is lost, all is read again.
            async for slice_ in stream.noack().events():
                await self._handle(slice_.message.partition, slice_.value)
                await stream.ack(slice_)

    async def _handle(self, partition: int, records: list[Any]) -> None:
        parts = self.components
        states = UserStates(self.users, self.components.gap_ms)
        effects = parts.processor.process(records, states, Inputs(self.inputs))
        await self._adopt(effects)
        parts.publisher.publish(effects)
        self.users.emit_changelog(parts.output, partition)
        self.inputs.emit_changelog(parts.output, partition)
        await parts.output.flush()
        now_ms = millis(time.time())
        for record in records:
            EVENT_TO_JOB.observe(max(0, now_ms - record.timestamp) / 1000)
        parts.publisher.count(effects)
        parts.mirror.take(effects)

    async def _adopt(self, effects: Effects) -> None:
        parts = self.components
        found = await parts.freshness.apply(effects.speculations)
        effects.adopt(found)
        parts.anticipation.expect(found)

    def _declare_health(self) -> None:
        self.components.health.add_ready("assignment", self._is_assigned)

        @self.task  # type: ignore[untyped-decorator]
        async def after_recovery() -> None:
            await self.components.start_mirror(self._rows)

        @self.timer(LAG_EVERY_S)  # type: ignore[untyped-decorator]
        async def export_lag() -> None:
            self._export_lag()

    def _rows(self) -> TableRows:
        return TableRows(self.users.data, self.inputs.data)

    def _is_assigned(self) -> str | None:
        if not self.started:
            return "the streams application is starting"
        if self.rebalancing:
            return "the consumer group is rebalancing"
        if not self.tables.actives_ready:
            return "the tables are being recovered"
        return None

    def _export_lag(self) -> None:
        behind: dict[str, int] = dict.fromkeys(self.sliced_topics, 0)
        for tp in self.consumer.assignment():
            if tp.topic in behind:
                end = self.consumer.highwater(tp) or 0
                behind[tp.topic] += max(0, end - (self.consumer._committed_offset[tp] or 0))  # noqa: SLF001
        for topic, lag in behind.items():
            CONSUMER_LAG.labels(topic).set(lag)


def _faust_config(settings: Settings, topics: frozenset[str]) -> dict[str, Any]:
    security = checked(settings.kafka_security)
    brokers = ";".join(f"kafka://{server}" for server in settings.kafka_bootstrap_servers.split(","))
    conf: dict[str, Any] = {
        "broker": brokers,
        "Table": SliceTable,
        "ConsumerScheduler": slice_scheduler(topics, settings.events_per_batch),
        "store": settings.table_store,
        "datadir": str(settings.data_dir),
        "topic_partitions": settings.partitions,
        "topic_replication_factor": settings.replication,
        "topic_disable_leader": True,
        # They are all there by now, and nobody lets this role make topics.
        "topic_allow_declare": False,
        "table_standby_replicas": 0,
        "broker_commit_interval": settings.commit_interval_s,
        "broker_session_timeout": SESSION_TIMEOUT_S,
        "broker_heartbeat_interval": SESSION_TIMEOUT_S / 4,
        "broker_max_poll_records": 4 * settings.events_per_batch,
        "stream_wait_empty": False,
        "web_enabled": False,
    }
    context = ssl_context(security)
    if security.sasl_username is not None and security.sasl_password is not None:
        conf["broker_credentials"] = faust.SASLCredentials(
            username=security.sasl_username,
            password=security.sasl_password.get_secret_value(),
            mechanism=security.sasl_mechanism,
            ssl_context=context,
        )
        if context is None:
            _log.warning("credentials travel in the clear: PRECOMPUTE_KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT")
    elif context is not None:
        conf["broker_credentials"] = faust.SSLCredentials(context)
    return conf


def build_app(settings: Settings) -> StreamsApp:
    """The application, not started; raises `ConfigurationError` for settings it cannot run with."""
    return StreamsApp(settings)
