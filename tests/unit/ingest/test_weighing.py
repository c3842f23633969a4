from __future__ import annotations

import pytest
import redis.asyncio as aioredis
from ingest_samples import Stream, record, upload
from prometheus_client import REGISTRY

from predictor.policy import PolicyConfig
from streams.cache.connection import connect
from streams.cache.counters import FleetCounters
from streams.cache.ledger import JobLedger, LedgerReader
from streams.cache.names import RedisNames
from streams.cache.uses import FEWEST, ahead_field, used_field
from streams.contracts.clock import ManualClock
from streams.contracts.jobs import Why
from streams.contracts.states import Reason, Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.contracts.topics import TopicNames
from streams.ingest.load import FleetLoad
from streams.ingest.mirror import Mirror
from streams.ingest.publishing import SlicePublisher
from streams.ingest.weighing import TriggerWeighing, WeighingUpkeep
from streams.local.valkey import LocalValkey
from streams.settings import Settings

NAMES = RedisNames("weighing")


def weighing(**shares: float) -> TriggerWeighing:
    """By task, what of its uploads' answers was read."""
    found = TriggerWeighing(0.5, PolicyConfig(load_penalty=1.0), ManualClock())
    totals = {ahead_field(task, "upload"): 1000.0 for task in shares}
    totals |= {used_field(task, "upload"): 1000.0 * share for task, share in shares.items()}
    found.use.update(totals)
    return found


def stream_of(one: TriggerWeighing | None, *, predicts: bool = False) -> Stream:
    stream = Stream(predicts=predicts)
    stream.processor._weighing = one
    return stream


def emitted(stream: Stream, event_id: str = "e1", video: str = "v1") -> set[str]:
    return {out.job.task for out in stream.process(upload(video, event_id=event_id)).jobs}


def plain_event() -> str:
    """The id of an event that is not explored."""
    stream = stream_of(weighing(scene_detection=0.0))
    return next(
        name for name in (f"e{n}" for n in range(1000)) if "scene_detection" not in emitted(stream, name)
    )


def test_without_it_and_at_first_every_job_is_sent() -> None:
    assert len(emitted(stream_of(None))) == 6
    assert len(emitted(stream_of(weighing()))) == 6


def test_what_is_read_too_seldom_is_left_to_whoever_asks() -> None:
    stream = stream_of(weighing(scene_detection=0.1, face_detection=0.6))
    effects = stream.process(upload(event_id=plain_event()))
    withheld = [(one.job.task, one.reason) for one in effects.withheld]
    assert withheld == [("scene_detection", Reason.NOT_WORTH_IT)]
    assert len(effects.jobs) == 5
    assert "video:v1" in effects.inputs, "it can still be computed"


def test_an_explored_event_runs_whole_and_the_same_on_replay() -> None:
    nothing_worth_it = dict.fromkeys((spec.name for spec in BUILTIN_TASKS.of_entity("video")), 0.0)
    counts = []
    for _ in range(2):
        stream = stream_of(weighing(**nothing_worth_it))
        counts.append([len(emitted(stream, f"e{n}", f"v{n}")) for n in range(600)])
    assert counts[0] == counts[1]
    assert set(counts[0]) == {0, 6}
    assert 0.02 < counts[0].count(6) / 600 < 0.09


def test_a_busy_fleet_asks_for_more() -> None:
    one = weighing(scene_detection=0.7)
    event = plain_event()
    assert "scene_detection" in emitted(stream_of(one), event)
    one.load = FleetLoad(ManualClock())
    one.load.value = 1.0
    assert "scene_detection" not in emitted(stream_of(one), event)


def test_an_edit_invalidates_whatever_is_computed_again() -> None:
    one = weighing()
    specs = BUILTIN_TASKS.of_entity("video")
    one.use.update({ahead_field(spec.name, "changed"): 1000.0 for spec in specs})
    stream = stream_of(one)
    stream.process(upload())
    changed = record(
        "entity.changed", {"entity": "video", "entity_id": "v1"}, topic="users", event_id=plain_event()
    )
    effects = stream.process(changed)
    assert not effects.jobs
    assert len(effects.invalidated) == len(effects.withheld) == len(specs)
    assert {withheld.job.why for withheld in effects.withheld} == {Why.CHANGED}


async def test_it_learns_what_the_fleet_counted(client: aioredis.Redis) -> None:
    clock = ManualClock()
    counters = FleetCounters(client, NAMES, clock)
    one = TriggerWeighing(0.5, PolicyConfig(), clock)
    counters.add(ahead_field("scene_detection", "upload"), FEWEST)
    counters.add(used_field("scene_detection", "upload"), 5)
    await counters.flush()
    await WeighingUpkeep(one, client, NAMES, counters).look()
    assert one.use.share("scene_detection", "upload") == 5 / FEWEST


async def test_without_redis_it_stays_as_it_was(own_valkey: LocalValkey) -> None:
    client = connect(Settings(redis_url=own_valkey.url))
    one = weighing(scene_detection=0.3)
    own_valkey.stop()
    await WeighingUpkeep(one, client, NAMES, FleetCounters(client, NAMES)).look()
    assert one.use.share("scene_detection", "upload") == pytest.approx(0.3)
    await client.aclose()


class _Nowhere:
    def send(self, *_: object, **__: object) -> None:
        pass


async def test_a_withheld_job_is_counted_and_its_id_says_why(client: aioredis.Redis) -> None:
    counters, ledger = FleetCounters(client, NAMES), JobLedger(client, NAMES, ttl_s=60.0)
    effects = stream_of(weighing(scene_detection=0.0)).process(upload(event_id=plain_event()))
    labels = {"task": "scene_detection", "why": "upload", "reason": "not_worth_it"}
    before = REGISTRY.get_sample_value("precompute_jobs_withheld_total", labels) or 0.0
    SlicePublisher(_Nowhere(), TopicNames("x."), counters).count(effects)  # type: ignore[arg-type]
    assert REGISTRY.get_sample_value("precompute_jobs_withheld_total", labels) == before + 1
    await counters.flush()
    assert (await counters.totals())["withheld:scene_detection:upload"] == 1.0

    Mirror(client, NAMES, BUILTIN_TASKS, ledger).take(effects)
    await ledger.flush()
    found = await LedgerReader(client, NAMES, BUILTIN_TASKS).job(effects.withheld[0].job.id)
    assert found is not None
    assert found.status is Status.SKIPPED
    assert found.timeline[-1].reason == "not_worth_it"
