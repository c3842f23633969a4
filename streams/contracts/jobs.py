"""Jobs: the records of the per-priority topics."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from streams.contracts.decoding import failure_of
from streams.contracts.errors import JobError
from streams.contracts.ids import Id, derive_job_id
from streams.contracts.keys import CacheKey

PRIORITIES = range(1, 11)


class Priority:
    """The levels that have a name; 2 to 6 are a prediction's, by its expected value."""

    DEMAND = 10
    OPERATOR = 9
    UPLOAD = 8
    CAMPAIGN = 8
    LOGIN = 7
    PREDICTED_MAX = 6
    BATCH = 5
    ANALYTICS = 5
    CHANGED = 5
    REFRESH = 3
    PREDICTED_MIN = 2


class Why(StrEnum):
    """What asked for a job."""

    UPLOAD = "upload"
    CAMPAIGN = "campaign"
    LOGIN = "login"
    ACTED = "acted"
    PREDICTED = "predicted"
    REFRESH = "refresh"
    DEMAND = "demand"
    BATCH = "batch"
    CHANGED = "changed"


class Group(StrEnum):
    """Whether a job is run, or held out to measure what running it is worth."""

    TREATMENT = "treatment"
    HOLDOUT = "holdout"


_EMPTY = msgspec.Raw(b"{}")

#: What fits the fixed-width digits that versions and times are compared in: 63 bits, and the year 5138.
Version = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Millis = Annotated[int, msgspec.Meta(ge=0, lt=10**14)]


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One computation asked for. Times are whole milliseconds since the Unix epoch.

    `payload` is the JSON the handler's input type is read from; it stays bytes until the handler runs.
    `input_version` orders inputs of one key: an answer from a lower one never replaces a higher one's.
    `event_at` is when the event that asked for it got into Kafka, None where none did. `recompute`: also
    where the answer there is fresh, unless it was begun after this job was made. What has its default is left
    out of the record.
    """

    id: Id
    task: Id
    key: str
    entity: Id
    entity_id: Id
    user_id: Id
    priority: Annotated[int, msgspec.Meta(ge=1, le=10)]
    why: Why
    created_at: Millis
    input_version: Version
    probability: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    group: Group = Group.TREATMENT
    payload: msgspec.Raw = _EMPTY
    expires_at: Millis | None = None
    attempt: Annotated[int, msgspec.Meta(ge=0)] = 0
    event_at: Millis | None = None
    recompute: bool = False

    def __post_init__(self) -> None:
        if self.key != f"{self.task}:{self.entity}:{self.entity_id}":
            raise ValueError(f"key {self.key!r} is not the task, entity and id of this job")

    def is_expired(self, now_ms: int) -> bool:
        return self.expires_at is not None and now_ms >= self.expires_at


def new_job(
    key: CacheKey,
    *,
    cause: str,
    user_id: str,
    priority: int,
    why: Why,
    created_at: int,
    input_version: int,
    payload: bytes = b"{}",
    probability: float | None = None,
    group: Group = Group.TREATMENT,
    expires_at: int | None = None,
    event_at: int | None = None,
    recompute: bool = False,
) -> Job:
    """A job whose id follows from its task, key and cause: the same event twice is the same job."""
    text = str(key)
    return Job(
        id=derive_job_id(key.task, text, cause),
        task=key.task,
        key=text,
        entity=key.entity,
        entity_id=key.entity_id,
        user_id=user_id,
        priority=priority,
        why=why,
        created_at=created_at,
        input_version=input_version,
        payload=msgspec.Raw(payload),
        probability=probability,
        group=group,
        expires_at=expires_at,
        event_at=event_at,
        recompute=recompute,
    )


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Job)
#: In records from before the flag, these causes meant it.
_ALWAYS_RECOMPUTED = frozenset({Why.REFRESH, Why.CHANGED})


def encode_job(job: Job) -> bytes:
    return _encoder.encode(job)


def decode_job(data: bytes) -> Job:
    """Reads a job record; raises `JobError` that names the field."""
    try:
        job = _decoder.decode(data)
    except msgspec.ValidationError as exc:
        message, field = failure_of(exc)
        raise JobError(f"not a job: {field or 'record'}: {message}", field=field) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise JobError(f"not a job: {exc}") from exc
    if not job.recompute and job.why in _ALWAYS_RECOMPUTED:
        return msgspec.structs.replace(job, recompute=True)
    return job


def payload_of(job: Job) -> Mapping[str, Any]:
    """The payload as plain Python values, for people and logs; handlers decode their own type."""
    value: Mapping[str, Any] = msgspec.json.decode(job.payload)
    return value
