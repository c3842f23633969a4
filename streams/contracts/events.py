"""Domain events: what upstream services publish."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from streams.contracts.decoding import failure_of
from streams.contracts.errors import ConfigurationError, EventError
from streams.contracts.ids import Id
from streams.contracts.topics import TopicNames


class EventType(StrEnum):
    VIDEO_UPLOADED = "video.uploaded"
    CAMPAIGN_CREATED = "campaign.created"
    USER_LOGGED_IN = "user.logged_in"
    USER_ACTED = "user.acted"
    ENTITY_CHANGED = "entity.changed"


ActionName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+(?![\s\S])")
]
Seconds = Annotated[float, msgspec.Meta(ge=0, description="seconds")]
Money = Annotated[float, msgspec.Meta(ge=0, description="amount in `currency`")]


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """What every event's data has. Unknown fields are ignored here and travel on to the handlers."""

    #: Stands in the data; a plain JSON event may put it on top instead.
    user_id: Id | msgspec.UnsetType = msgspec.UNSET


class VideoUploaded(EventData, frozen=True, kw_only=True):
    video_id: Id
    uri: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)] | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    file_path: str | msgspec.UnsetType = msgspec.UNSET
    title: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    duration_s: Seconds | None = None
    campaign_id: Id | None = None
    stats: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not (self.uri or self.url or self.file_path):
            raise ValueError("Object missing required field `uri`")


class CampaignCreated(EventData, frozen=True, kw_only=True):
    campaign_id: Id
    brief: dict[str, Any] | str
    objective: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    budget: Money | dict[str, Any] | None = None
    order_value: Money | dict[str, Any] | None = None
    video_ids: list[Id] | None = None
    history: list[Any] | dict[str, Any] | None = None


class UserLoggedIn(EventData, frozen=True, kw_only=True):
    account: dict[str, Any] | None = None


class UserActed(EventData, frozen=True, kw_only=True):
    action: ActionName
    entity: Id | None = None
    entity_id: Id | None = None


class EntityChanged(EventData, frozen=True, kw_only=True):
    entity: Id
    entity_id: Id


AnyData = VideoUploaded | CampaignCreated | UserLoggedIn | UserActed | EntityChanged

DATA_TYPES: dict[str, type[EventData]] = {
    EventType.VIDEO_UPLOADED: VideoUploaded,
    EventType.CAMPAIGN_CREATED: CampaignCreated,
    EventType.USER_LOGGED_IN: UserLoggedIn,
    EventType.USER_ACTED: UserActed,
    EventType.ENTITY_CHANGED: EntityChanged,
}

_decoders = {name: msgspec.json.Decoder(kind) for name, kind in DATA_TYPES.items()}
#: Streams of event types that an installation added.
_streams: dict[str, str] = {}


def add_event_type(name: str, data: type[EventData], stream: str) -> None:
    """Makes an event type of one's own known to this process; `stream` is videos, campaigns or users.

    The same declaration may be added again; another of the same name is a `ConfigurationError`.
    """
    known = DATA_TYPES.get(name)
    if known is not None and known is not data:
        raise ConfigurationError(f"event type {name} is declared twice; rename one")
    if stream not in ("videos", "campaigns", "users"):
        raise ConfigurationError(f"event type {name}: stream is videos, campaigns or users, not {stream!r}")
    DATA_TYPES[name] = data
    _decoders[name] = msgspec.json.Decoder(data)
    _streams[name] = stream


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded event. `source` and `id` identify it; `time_ms` is when it happened.

    `raw_data` is the data as it was published, unknown fields and all: the payload of its jobs.
    """

    type: str
    source: str
    id: str
    time_ms: int
    user_id: str
    data: EventData
    raw_data: bytes
    traceparent: str | None = None

    @property
    def cause(self) -> str:
        """What the ids of this event's jobs are derived from."""
        return f"{self.source}/{self.id}"


def decode_data(event_type: str, raw: bytes | memoryview | msgspec.Raw) -> EventData:
    """The typed data of an event; raises `EventError` that names the field."""
    decoder = _decoders.get(event_type)
    if decoder is None:
        raise EventError(
            f"unknown event type {event_type[:128]!r}; known are {', '.join(DATA_TYPES)}",
            reason="unknown_type",
            field="type",
        )
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        message, path = failure_of(exc)
        field = f"data.{path}" if path else "data"
        raise EventError(f"{field}: {message}", reason="schema", field=field) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise EventError(f"data is not JSON: {exc}", reason="not_json", field="data") from exc


def topic_of(event_type: str, names: TopicNames) -> str:
    """The topic an event of this type belongs on."""
    stream = _streams.get(event_type)
    if event_type == EventType.VIDEO_UPLOADED or stream == "videos":
        return names.videos
    if event_type == EventType.CAMPAIGN_CREATED or stream == "campaigns":
        return names.campaigns
    return names.users
