"""Event types that an installation adds: decoded, routed and turned into jobs like the built-in ones."""

from __future__ import annotations

import msgspec
import pytest

from streams.contracts.cloudevents import RecordPlace, decode_event
from streams.contracts.errors import ConfigurationError, EventError
from streams.contracts.events import EventData, add_event_type, topic_of
from streams.contracts.ids import Id
from streams.contracts.jobs import Why
from streams.contracts.tasks import BUILTIN_TASKS
from streams.contracts.topics import TopicNames
from streams.contracts.triggers import Trigger, TriggerTable

TYPE = "video.rated"


class VideoRated(EventData, frozen=True, kw_only=True):
    video_id: Id
    stars: int


def decode(data: dict[str, object]) -> EventData:
    value = msgspec.json.encode({"type": TYPE, "id": "e1", "data": {"user_id": "u1", **data}})
    return decode_event(value, [], RecordPlace("t", 0, 0, 1)).data


def test_it_is_decoded_routed_and_triggers() -> None:
    add_event_type(TYPE, VideoRated, "videos")
    add_event_type(TYPE, VideoRated, "videos")

    assert decode({"video_id": "v1", "stars": 4}) == VideoRated(user_id="u1", video_id="v1", stars=4)
    assert topic_of(TYPE, TopicNames()) == TopicNames().videos
    with pytest.raises(EventError, match=r"data\.stars"):
        decode({"video_id": "v1", "stars": "many"})

    table = TriggerTable([Trigger(TYPE, "ctr_prediction", 4, Why.ACTED)], BUILTIN_TASKS)
    value = msgspec.json.encode({"type": TYPE, "data": {"user_id": "u1", "video_id": "v1", "stars": 4}})
    event = decode_event(value, [], RecordPlace("t", 0, 0, 1))
    (job,) = table.jobs(event, input_version=1, now_ms=1)
    assert job.key == "ctr_prediction:video:v1"


def test_a_name_is_taken_once() -> None:
    class Other(EventData, frozen=True, kw_only=True):
        pass

    with pytest.raises(ConfigurationError, match="twice"):
        add_event_type("video.uploaded", Other, "videos")
    with pytest.raises(ConfigurationError, match="stream"):
        add_event_type("video.seen", Other, "elsewhere")
