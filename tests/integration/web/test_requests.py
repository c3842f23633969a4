"""Many jobs asked for at once: all of them are in Kafka, or the asker hears which server was away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import redis.asyncio as aioredis
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.cache.counters import FleetCounters
from streams.cache.inputs import EntityInput, MirrorReader
from streams.cache.ledger import JobLedger, LedgerReader
from streams.cache.names import RedisNames
from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Job, Why, decode_job
from streams.contracts.keys import CacheKey
from streams.contracts.states import Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.kafka.producer import AckedProducer
from streams.kafka.topics import TopicAdmin
from streams.local.valkey import LocalValkey
from streams.settings import Settings, load_settings
from streams.web.batches import BatchStore
from streams.web.intake import JobRequester
from tests.support.answers import put_answer, stored_answer
from tests.support.waiting import wait_until

NAMES = RedisNames("pc")
#: Several parts of a request, the last one not full.
COUNT = 1_730


@pytest.fixture
def settings(kafka: str, redis_url: str, prefix: str) -> Settings:
    found = load_settings(
        kafka_bootstrap_servers=kafka,
        redis_url=redis_url,
        topic_prefix=prefix,
        partitions=2,
        replication=1,
        min_insync_replicas=1,
    )
    TopicAdmin(found).create()
    return found


class Desk:
    """A requester and what it writes to."""

    def __init__(self, settings: Settings, redis: aioredis.Redis, producer: AckedProducer) -> None:
        self.settings = settings
        self.redis = redis
        self.producer = producer
        self.counters = FleetCounters(redis, NAMES)
        self.ledger = JobLedger(redis, NAMES, ttl_s=600)
        self._requester = JobRequester(
            producer,
            settings.topics,
            mirror=MirrorReader(redis, NAMES),
            ledger=self.ledger,
            counters=self.counters,
        )

    async def request(self, keys: list[CacheKey]) -> list[Job]:
        return await self._requester.request(keys, why=Why.BATCH, priority=5, cause="batch/1")


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    redis = aioredis.Redis.from_url(settings.redis_url.get_secret_value())
    producer = AckedProducer(settings)
    await producer.start()
    yield Desk(settings, redis, producer)
    await producer.stop()
    await redis.aclose()


def keys(count: int = COUNT) -> list[CacheKey]:
    return [CacheKey.of("ctr_prediction", f"v{number}", BUILTIN_TASKS) for number in range(count)]


async def put_inputs(redis: Any, wanted: list[CacheKey]) -> None:
    data = msgspec.json.encode(EntityInput(user_id="u1", payload=msgspec.Raw(b"{}"), input_version=3))
    await redis.mset({NAMES.input(key.entity, key.entity_id): data for key in wanted})


def in_kafka(settings: Settings, topic: str) -> list[Job]:
    """What the topic holds by its own account of its end."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": "reader"})
    try:
        places = [TopicPartition(topic, number, 0) for number in range(settings.partitions)]
        ends = wait_until(lambda: _ends(consumer, places), what="the leaders of the topic's partitions")
        consumer.assign(places)
        found: list[Job] = []
        while len(found) < ends:
            for message in consumer.consume(500, timeout=1.0):
                value = message.value()
                assert value is not None
                found.append(decode_job(value))
        return found
    finally:
        consumer.close()


def _ends(consumer: Consumer, places: list[TopicPartition]) -> int | None:
    """None while a topic is so new that not every broker knows its leaders."""
    try:
        return sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
    except KafkaException:
        return None


async def test_all_are_in_kafka_when_it_returns_and_in_order(desk: Desk) -> None:
    wanted = keys()
    await put_inputs(desk.redis, wanted[:-1])
    jobs = await desk.request(wanted)
    assert [job.key for job in jobs] == [str(key) for key in wanted[:-1]]
    assert {job.id for job in in_kafka(desk.settings, desk.settings.topics.jobs(5))} == {
        job.id for job in jobs
    }
    await desk.counters.flush()
    assert (await desk.counters.totals())["tasks_queued"] == COUNT - 1


async def test_jobs_that_kafka_refuses_are_cancelled_and_the_asker_hears_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record above the limit is refused by the producer; the others of its part are not held back."""
    wanted = keys(3)
    await put_inputs(desk.redis, wanted)
    large = EntityInput(user_id="u1", payload=msgspec.Raw(b'"' + b"x" * 9 * 2**20 + b'"'), input_version=3)
    await desk.redis.set(NAMES.input("video", "v1"), msgspec.json.encode(large))
    with pytest.raises(UnavailableError, match="Kafka"):
        await desk.request(wanted)
    sent = in_kafka(desk.settings, desk.settings.topics.jobs(5))
    assert {job.entity_id for job in sent} == {"v0", "v2"}
    await desk.ledger.flush()
    reader = LedgerReader(desk.redis, NAMES, BUILTIN_TASKS)
    newest = await reader.newest(statuses=list(Status), tasks=["ctr_prediction"], limit=10)
    found = {record.facts.key.rpartition(":")[2]: record.status for record in newest}
    assert found == {"v0": Status.QUEUED, "v1": Status.CANCELLED, "v2": Status.QUEUED}


async def test_a_batchs_progress_is_read_with_few_commands(own_valkey: LocalValkey) -> None:
    async with aioredis.Redis.from_url(own_valkey.url) as redis:
        store = BatchStore(redis, NAMES)
        wanted = keys(2_500)
        batch = await store.create(wanted, by="me", off_peak=False)
        assert await store.answered(batch) == 0
        await store.advance(batch, 2_400, 0)
        for key in wanted[:30] + wanted[-30:]:
            await put_answer(redis, NAMES, stored_answer(str(key), 1))
        found = await store.find(batch.facts.id)
        assert found is not None
        await redis.config_resetstat()
        # Rows that are not emitted yet do not count, though they may have an answer.
        assert await store.answered(found) == 30
        calls = {name: one["calls"] for name, one in (await redis.info("commandstats")).items()}
    assert calls["cmdstat_exists"] == 3
    assert calls["cmdstat_lrange"] == 3
