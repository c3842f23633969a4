"""Which jobs an event asks for at once: one table, read by streams, the API and the tests.

The API answers with the ids of jobs that streams will emit, so both derive them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.events import (
    CampaignCreated,
    EntityChanged,
    Event,
    EventData,
    EventType,
    UserActed,
    VideoUploaded,
)
from streams.contracts.ids import is_id
from streams.contracts.jobs import Job, Priority, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import Entity, PrecomputeTaskType, TaskCatalogue

_T = PrecomputeTaskType


class Trigger(msgspec.Struct, frozen=True):
    """An event of `event_type` asks for `task` at `priority`."""

    event_type: str
    task: str
    priority: int
    why: Why

    def __post_init__(self) -> None:
        if not 1 <= self.priority <= 10:
            raise ConfigurationError(f"trigger {self.event_type} -> {self.task}: priority is 1 to 10")


_VIDEO = (
    _T.SCENE_DETECTION,
    _T.FACE_DETECTION,
    _T.HOOK_ANALYSIS,
    _T.THUMBNAIL_GENERATION,
    _T.CAPTION_GENERATION,
    _T.CTR_PREDICTION,
)
_CAMPAIGN = (_T.VARIANT_GENERATION, _T.VARIANT_SCORING, _T.ROAS_PREDICTION)

BUILTIN_TRIGGERS = (
    *(Trigger(EventType.VIDEO_UPLOADED, task, Priority.UPLOAD, Why.UPLOAD) for task in _VIDEO),
    *(Trigger(EventType.CAMPAIGN_CREATED, task, Priority.CAMPAIGN, Why.CAMPAIGN) for task in _CAMPAIGN),
    Trigger(EventType.CAMPAIGN_CREATED, _T.CAMPAIGN_ANALYTICS, Priority.ANALYTICS, Why.CAMPAIGN),
    Trigger(EventType.USER_LOGGED_IN, _T.DASHBOARD_DATA, Priority.LOGIN, Why.LOGIN),
)


class TriggerTable:
    """Triggers by event type. Immutable once built."""

    def __init__(self, triggers: Iterable[Trigger], tasks: TaskCatalogue) -> None:
        self._tasks = tasks
        table: dict[str, list[Trigger]] = {}
        for trigger in triggers:
            if trigger.task not in tasks:
                raise ConfigurationError(
                    f"{trigger.event_type} asks for {trigger.task}, which no handler declares"
                )
            table.setdefault(trigger.event_type, []).append(trigger)
        self._table: Mapping[str, tuple[Trigger, ...]] = {k: tuple(v) for k, v in table.items()}

    def of(self, event_type: str) -> tuple[Trigger, ...]:
        return self._table.get(event_type, ())

    def jobs(
        self, event: Event, *, input_version: int, now_ms: int, event_at: int | None = None
    ) -> list[Job]:
        """The jobs an event asks for; none for a type that only adds to history."""
        found = []
        for trigger in self.of(event.type):
            subject = subject_of(event, self._tasks[trigger.task].entity)
            if subject is None:
                continue
            found.append(
                new_job(
                    CacheKey(trigger.task, self._tasks[trigger.task].entity, subject),
                    cause=event.cause,
                    user_id=event.user_id,
                    priority=trigger.priority,
                    why=trigger.why,
                    created_at=now_ms,
                    input_version=input_version,
                    payload=event.raw_data,
                    event_at=event_at,
                    recompute=trigger.why is Why.CHANGED,
                )
            )
        return found


def trigger_table(own: Iterable[Trigger], tasks: TaskCatalogue) -> TriggerTable:
    """The built-in triggers and those that handlers declare: streams and the API read the same table."""
    return TriggerTable([*BUILTIN_TRIGGERS, *own], tasks)


def subject_of(event: Event, entity: str) -> str | None:
    """The id of the entity of that kind an event is about."""
    data: EventData = event.data
    if entity == Entity.USER:
        return event.user_id
    if isinstance(data, VideoUploaded) and entity == Entity.VIDEO:
        return data.video_id
    if isinstance(data, VideoUploaded | CampaignCreated) and entity == Entity.CAMPAIGN:
        return data.campaign_id
    if isinstance(data, UserActed | EntityChanged):
        return data.entity_id if entity == data.entity else None
    # An event type of one's own names its entities as the built-in ones do.
    named = getattr(data, f"{entity}_id", None)
    return named if isinstance(named, str) and is_id(named) else None
