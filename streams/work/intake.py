"""Reads job records: one thread owns the Kafka consumer, the event loop gets batches.

librdkafka's callbacks run inside this thread's poll. They may wait for the loop, so the loop never waits for
this thread.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.contracts.topics import RETRY_DELAYS, TopicNames
from streams.kafka.config import KAFKA_LOG, librdkafka_config
from streams.ops.metrics import COMMITS, LAST_COMMIT, REBALANCES
from streams.settings import Settings
from streams.work.records import Fetched, Partition
from streams.work.watchdog import PartitionWatchdog

_log = structlog.get_logger(__name__)

MOST_A_BATCH = 500
POLL_S = 0.05
#: How long a revoked partition's owner waits for the loop to finish what runs, and then a little.
REVOKE_WAIT_S = 5.0


class Receiver(Protocol):
    """The event loop's side; all but `on_revoked` return at once."""

    def on_batch(self, batch: Sequence[Fetched]) -> None: ...

    def on_assigned(self, partitions: Mapping[Partition, int]) -> None: ...

    async def on_revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Ends work on these partitions and answers the positions to commit."""
        ...

    def on_lost(self, partitions: Sequence[Partition]) -> None: ...

    def on_commit_failed(self, partitions: Sequence[Partition]) -> None: ...

    def on_ended(self, error: BaseException | None) -> None: ...


def consumer_config(settings: Settings) -> dict[str, Any]:
    """Small prefetch: the fetch queue is one FIFO, and what waits there has lost its priority."""
    conf: dict[str, Any] = {
        **librdkafka_config(settings),
        "group.id": settings.group_worker,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "queued.min.messages": 100,
        "queued.max.messages.kbytes": 4096,
        "fetch.queue.backoff.ms": 10,
        "fetch.wait.max.ms": 50,
        "fetch.min.bytes": 1,
        "fetch.message.max.bytes": 131_072,
        "fetch.max.bytes": 5_242_880,
        "max.poll.interval.ms": 60_000,
        "allow.auto.create.topics": False,
    }
    if settings.group_protocol == "consumer":
        return conf | {"group.protocol": "consumer", "group.remote.assignor": "range"}
    # range gives every replica a partition of every topic; the sticky assignors give some only low ones.
    return conf | {
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 15_000,
        "heartbeat.interval.ms": 3_000,
    }


class Intake:
    """The consumer's thread. Methods without a note may be called from the loop."""

    def __init__(self, settings: Settings, topics: Sequence[str], receiver: Receiver) -> None:
        self._settings = settings
        self._topics = list(topics)
        self._receiver = receiver
        self._incremental = settings.group_protocol == "consumer"
        self._commands: queue.SimpleQueue[Callable[[Consumer], None]] = queue.SimpleQueue()
        self._epochs: dict[Partition, int] = {}
        self._epoch = 0
        self._stopping = threading.Event()
        self._watchdog = PartitionWatchdog(time.monotonic)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    async def stop(self, within_s: float = 10.0) -> None:
        """Leaves the group; the loop keeps running meanwhile, since revocation needs it."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, within_s)
            if self._thread.is_alive():
                _log.error("the consumer did not close in time; the group will notice by its session timeout")

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Stops fetching; what was prefetched for them is thrown away and fetched again later."""
        chosen = list(partitions)

        def command(consumer: Consumer) -> None:
            ours = self._still_ours(chosen)
            self._watchdog.paused.update(ours)
            consumer.pause(_as_kafka(ours))

        self._commands.put(command)

    def resume(self, partitions: Iterable[Partition]) -> None:
        chosen = list(partitions)

        def command(consumer: Consumer) -> None:
            ours = self._still_ours(chosen)
            self._watchdog.assigned(ours)
            consumer.resume(_as_kafka(ours))

        self._commands.put(command)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        offsets = [TopicPartition(p.topic, p.number, offset) for p, offset in positions.items()]
        self._commands.put(lambda consumer: self._commit(consumer, offsets, asynchronous=True))

    def problem(self) -> str | None:
        """Why this consumer does not do its work, or None."""
        return self._watchdog.problem

    def lags(self) -> Mapping[str, int]:
        """Records that were not fetched yet, by topic; some seconds old."""
        return self._watchdog.lags

    def _still_ours(self, chosen: Sequence[Partition]) -> list[Partition]:
        return [partition for partition in chosen if partition in self._epochs]

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            consumer = Consumer(
                {**consumer_config(self._settings), "on_commit": self._on_commit}, logger=KAFKA_LOG
            )
            try:
                consumer.subscribe(
                    self._topics,
                    on_assign=self._on_assign,
                    on_revoke=self._on_revoke,
                    on_lost=self._on_lost,
                )
                while not self._stopping.is_set():
                    self._obey(consumer)
                    self._deliver(self._fetch(consumer))
                    self._watchdog.look(consumer)
                self._obey(consumer)
            finally:
                consumer.close()
        except BaseException as exc:  # noqa: BLE001 (handed to the loop, which ends the process)
            error = exc
        self._call(self._receiver.on_ended, error)

    def _obey(self, consumer: Consumer) -> None:
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            command(consumer)

    def _fetch(self, consumer: Consumer) -> list[Message]:
        # consume() alone would wait its whole timeout for a full batch; poll() returns with the first.
        first = consumer.poll(POLL_S)
        if first is None:
            return []
        return [first, *consumer.consume(MOST_A_BATCH - 1, timeout=0)]

    def _deliver(self, messages: Sequence[Message]) -> None:
        batch = []
        #: One object for each partition of the batch: equal ones would be compared field by field.
        places: dict[tuple[str, int], tuple[Partition, int | None]] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                self._check(error)
                continue
            name = (message.topic(), message.partition())
            place = places.get(name)
            if place is None:
                partition = Partition(*name)
                place = places[name] = (partition, self._epochs.get(partition))
            partition, epoch = place
            if epoch is None:
                continue
            headers = message.headers()
            batch.append(
                Fetched(
                    partition,
                    epoch,
                    message.offset(),
                    message.key(),
                    message.value(),
                    tuple(headers) if headers else (),
                )
            )
        for partition, epoch in places.values():
            if epoch is not None:
                self._watchdog.delivered(partition)
        if batch:
            self._call(self._receiver.on_batch, batch)

    def _check(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in (
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.GROUP_AUTHORIZATION_FAILED,
        ):
            raise KafkaException(error)
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 (the library's public name)
            _log.warning("Kafka reports", error=error.str())

    def _on_assign(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        REBALANCES.inc()
        self._epoch += 1
        partitions = {Partition(tp.topic, tp.partition): self._epoch for tp in assigned}
        if self._incremental:
            consumer.incremental_assign(assigned)
        else:
            consumer.assign(assigned)
        # A pause survives a reassignment: without this the partition would deliver nothing for ever.
        consumer.resume(assigned)
        self._epochs.update(partitions)
        self._watchdog.assigned(partitions)
        self._call(self._receiver.on_assigned, partitions)

    def _on_revoke(self, consumer: Consumer, revoked: list[TopicPartition]) -> None:
        partitions = self._forget(revoked)
        try:
            positions = self._ask(self._receiver.on_revoked(partitions))
        except Exception as exc:  # noqa: BLE001 (duplicates are acceptable, a dead poll thread is not)
            _log.warning("work on revoked partitions did not end in time", error=repr(exc))
            positions = {}
        offsets = [TopicPartition(p.topic, p.number, offset) for p, offset in positions.items()]
        self._commit(consumer, offsets, asynchronous=False)

    def _on_lost(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        self._call(self._receiver.on_lost, self._forget(lost))

    def _forget(self, gone: Iterable[TopicPartition]) -> list[Partition]:
        partitions = [Partition(tp.topic, tp.partition) for tp in gone]
        for partition in partitions:
            self._epochs.pop(partition, None)
        self._watchdog.forget(partitions)
        return partitions

    def _commit(self, consumer: Consumer, offsets: list[TopicPartition], *, asynchronous: bool) -> None:
        if not offsets:
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=asynchronous)
        except KafkaException as exc:
            # For instance a rebalance that began meanwhile: the records come again and are found done.
            COMMITS.labels("failed").inc()
            _log.warning("offsets were not committed", error=str(exc))
            self._call(self._receiver.on_commit_failed, [Partition(o.topic, o.partition) for o in offsets])

    def _on_commit(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        COMMITS.labels("failed" if error else "ok").inc()
        if error is None:
            LAST_COMMIT.set_to_current_time()
        else:
            self._call(self._receiver.on_commit_failed, [Partition(o.topic, o.partition) for o in offsets])

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._guarded, function, *args)

    def _guarded(self, function: Callable[..., None], *args: Any) -> None:
        """An error in a callback would only be logged, and its records would wait for ever."""
        try:
            function(*args)
        except Exception as exc:  # noqa: BLE001 (handed on: it ends the process)
            self._receiver.on_ended(exc)

    def _ask(self, question: Awaitable[Any]) -> Any:
        assert self._loop is not None

        async def wait() -> Any:
            return await question

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(REVOKE_WAIT_S)


def _as_kafka(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(p.topic, p.number) for p in partitions]


def worker_topics(topics: TopicNames) -> list[str]:
    """Every job topic and every retry topic."""
    return [*topics.all_jobs, *(topics.retry(delay) for delay in RETRY_DELAYS)]
