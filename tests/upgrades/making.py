"""Makes what this version writes: records of Kafka, a whole Redis, and what stands in a store of models."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import redis
import redis.asyncio as aioredis

from predictor.archive import load_meta
from predictor.history import Action, History
from predictor.ngram import Ngram
from predictor.snapshot import dump_ngram, load_ngram
from streams.cache.answers import AnswerStore, Claim, Finish
from streams.cache.inputs import EntityInput, PredictedAction, UserPredictions
from streams.cache.ledger import JobLedger
from streams.contracts.clock import ManualClock
from streams.contracts.cloudevents import encode_binary
from streams.contracts.jobs import Group, Job, Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.results import NO_RESULT, StoredResult, timestamp
from streams.contracts.states import Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.ingest.state import InputRow, UserState
from tests.upgrades import reading
from tests.upgrades.reading import NAMES, NOW_MS, NOW_S
from tests.upgrades.records import pack, write

ROOT = Path(__file__).resolve().parents[2]
USER = "u42"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

EVENTS: dict[str, dict[str, Any]] = {
    "video.uploaded": {
        "user_id": USER,
        "video_id": "v42",
        "uri": "/media/ad.mp4",
        "title": "Ä 1",
        "duration_s": 12.5,
    },
    "campaign.created": {
        "user_id": USER,
        "campaign_id": "c7",
        "brief": {"product": "shoes"},
        "budget": {"amount": 5000, "currency": "EUR"},
        "video_ids": ["v42"],
    },
    "user.logged_in": {"user_id": USER},
    "user.acted": {"user_id": USER, "action": "view_ctr", "entity": "video", "entity_id": "v42"},
    "entity.changed": {"user_id": USER, "entity": "campaign", "entity_id": "c7"},
}


def make_records(folder: Path) -> None:
    """Writes the records of Kafka, the rows of the tables, and what stands in a store of models."""
    write(folder, "events", _events())
    jobs = _jobs()
    write(folder, "jobs", [_meaning(encode_job(job), reading.job) for job in jobs])
    write(folder, "tables", _tables())
    write(folder, "models", _models())


def _meaning(value: bytes, read: Any) -> dict[str, Any]:
    return {"value": pack(value), "means": read(value)}


def _events() -> list[dict[str, Any]]:
    found = []
    for number, (event_type, data) in enumerate(EVENTS.items()):
        raw = msgspec.json.encode(data)
        stamp = timestamp(NOW_MS)
        time = stamp.isoformat()
        value, headers = encode_binary(event_type, raw, source="media", event_id=f"e{number}", time=stamp)
        attributes = {"type": event_type, "id": f"e{number}", "time": time}
        structured = {"specversion": "1.0", "source": "media", "traceparent": TRACE, **attributes}
        in_text = msgspec.json.encode({**structured, "data": data})
        in_base64 = msgspec.json.encode({**structured, "data_base64": base64.b64encode(raw).decode()})
        content = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
        found += [
            _event("binary", value, [*headers, ("traceparent", TRACE.encode())]),
            _event("structured", in_text, content),
            _event("structured, base64", in_base64, content),
            _event("plain", msgspec.json.encode({**attributes, "data": data}), []),
        ]
    return found


def _event(mode: str, value: bytes, headers: list[tuple[str, bytes]]) -> dict[str, Any]:
    return {
        "mode": mode,
        "headers": [[name, pack(text)] for name, text in headers],
        "value": pack(value),
        "means": reading.event(value, headers),
    }


def _jobs() -> list[Job]:
    upload = make_job(
        "ctr_prediction", "v42", why=Why.UPLOAD, priority=8, payload=b'{"video_id":"v42","uri":"x"}'
    )
    predicted = make_job(
        "dashboard_data",
        USER,
        why=Why.PREDICTED,
        priority=4,
        probability=0.75,
        group=Group.HOLDOUT,
        expires_at=NOW_MS + 600_000,
    )
    retried = msgspec.structs.replace(
        make_job("scene_detection", "v42", why=Why.UPLOAD, priority=8), attempt=2
    )
    others = [make_job("roas_prediction", f"c-{why}", why=why, priority=5) for why in Why]
    return [upload, predicted, retried, *others]


def make_job(task: str, entity_id: str, *, why: Why, priority: int, **more: Any) -> Job:
    return new_job(
        CacheKey(task, BUILTIN_TASKS[task].entity, entity_id),
        cause="media/e0",
        user_id=USER,
        priority=priority,
        why=why,
        created_at=NOW_MS,
        input_version=NOW_MS << 20,
        **more,
    )


def _tables() -> dict[str, Any]:
    history = History(USER)
    for number, name in enumerate(("LOGIN", "view_dashboard", "view_ctr")):
        entity = ("video", "v42") if name == "view_ctr" else (None, None)
        history.append(Action(name, NOW_MS + 1000 * number, *entity))
    user = UserState(
        history,
        offsets={"precompute.events.users": 7},
        version=NOW_MS << 20,
        entities=["video:v42"],
        recent=[2**63 + 5, 17],
        partition=3,
    )
    encode = msgspec.msgpack.Encoder().encode
    return {
        "users": [_meaning(encode(user), reading.user_row)],
        "inputs": [_meaning(encode(InputRow(USER, NOW_MS << 20, b'{"uri":"x"}')), reading.input_row)],
    }


def _models() -> dict[str, Any]:
    manifest = (ROOT / "predictor" / "bundled" / "meta.json").read_bytes()
    ngram = Ngram()
    history = History(USER)
    for number, name in enumerate(("LOGIN", "view_ctr", "view_roas", "view_ctr") * 3):
        action = Action(name, NOW_MS + 1000 * number)
        ngram.observe(history, action)
        history.append(action)
    snapshot = dump_ngram(ngram)
    return {
        "manifest": _meaning(manifest, lambda data: reading.plain(load_meta(data))),
        "ngram": _meaning(snapshot, lambda data: {"names": load_ngram(data).vocabulary.names}),
    }


async def make_redis(folder: Path, client: redis.Redis, asynchronous: aioredis.Redis) -> None:
    """Fills a Redis through this version's own code and writes down every key."""
    held = make_job("hook_analysis", "v42", why=Why.UPLOAD, priority=8)
    answered = [
        (make_job("ctr_prediction", "v42", why=Why.UPLOAD, priority=8), {"ctr": 0.02}, None),
        (make_job("dashboard_data", USER, why=Why.LOGIN, priority=7), {"rows": ["ä" * 40] * 60}, None),
        (make_job("roas_prediction", "c7", why=Why.CAMPAIGN, priority=8), None, "insufficient_data"),
    ]
    clock = ManualClock(NOW_S)
    store = AnswerStore(asynchronous, NAMES, 10.0, clock)
    claims = [Claim(job, f"w-{number}") for number, (job, _, _) in enumerate(answered)]
    await store.claim([*claims, Claim(held, "w-held")])
    await store.finish(
        [
            Finish(claim, _stored(job, result, reason), 7_200_000, "completed")
            for claim, (job, result, reason) in zip(claims, answered, strict=True)
        ]
    )
    await _write_ledger(asynchronous, clock, [job for job, _, _ in answered])
    _write_mirror(client)
    keys, ids = [job.key for job, _, _ in answered], [job.id for job, _, _ in answered]
    means = await reading.StoredState(asynchronous).everything(keys, ids, USER)
    dumped = [
        {"key": key.decode(), "type": kind.decode(), "value": _pack_value(value)}
        for key, (kind, value) in reading.dump(client).items()
    ]
    claimed = {job.key: await reading.StoredState(asynchronous).claim(job) for job in (answered[0][0], held)}
    write(folder, "redis", {"keys": dumped, "means": means, "jobs": ids, "answers": keys, "claims": claimed})


def _stored(job: Job, result: Any, reason: str | None) -> StoredResult:
    return StoredResult(
        key=job.key,
        task=job.task,
        job_id=job.id,
        why=job.why,
        handler_version="1",
        input_version=job.input_version,
        started_at=NOW_MS,
        computed_at=NOW_MS,
        expires_at=NOW_MS + 3_600_000,
        compute_ms=12.5,
        result=NO_RESULT if reason else msgspec.Raw(msgspec.json.encode(result)),
        reason=reason,
        message="needs 14 days of history" if reason else None,
    )


async def _write_ledger(client: aioredis.Redis, clock: ManualClock, jobs: list[Job]) -> None:
    ledger = JobLedger(client, NAMES, ttl_s=86_400.0, clock=clock)
    for job in jobs:
        ledger.record(job, Status.QUEUED)
        ledger.record(job, Status.PROCESSING, attempt=1, worker="w")
        ledger.record(job, Status.QUEUED, attempt=1, reason="retry", error="it did not answer")
        ledger.record(job, Status.PROCESSING, attempt=2, worker="w")
        ledger.record(job, Status.COMPLETED, attempt=2, worker="w")
    await ledger.flush()


def _write_mirror(client: redis.Redis) -> None:
    actions = [Action("LOGIN", NOW_MS), Action("view_ctr", NOW_MS + 1, "video", "v42")]
    shown = PredictedAction(
        action="view_roas", probability=0.4, confidence=0.8, acted_on=False, why_not="too_unlikely"
    )
    client.set(NAMES.history(USER), msgspec.msgpack.encode(actions))
    client.set(
        NAMES.input("video", "v42"),
        msgspec.json.encode(
            EntityInput(user_id=USER, payload=msgspec.Raw(b'{"uri":"x"}'), input_version=NOW_MS << 20)
        ),
    )
    client.set(
        NAMES.predictions(USER),
        msgspec.json.encode(
            UserPredictions(user_id=USER, predictions=(shown,), predicted_at=NOW_MS, model_version="v1")
        ),
    )


def _pack_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return pack(value)
    if isinstance(value, dict):
        return [[pack(field), pack(one)] for field, one in sorted(value.items())]
    return [[pack(member), score] for member, score in value]
