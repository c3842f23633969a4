from __future__ import annotations

import pytest
from contract_samples import PLACE, plain

from streams.contracts.cloudevents import decode_event
from streams.contracts.errors import ConfigurationError
from streams.contracts.events import Event
from streams.contracts.jobs import Job, Why
from streams.contracts.tasks import BUILTIN_TASKS
from streams.contracts.triggers import BUILTIN_TRIGGERS, Trigger, TriggerTable, subject_of

TABLE = TriggerTable(BUILTIN_TRIGGERS, BUILTIN_TASKS)
VIDEO_TASKS = {spec.name for spec in BUILTIN_TASKS.of_entity("video")}


def event(kind: str, event_id: str = "1", **data: object) -> Event:
    return decode_event(plain(kind, {"user_id": "u1", **data}, id=event_id), (), PLACE)


def jobs(one: Event, table: TriggerTable = TABLE) -> dict[str, Job]:
    return {job.task: job for job in table.jobs(one, input_version=5, now_ms=1_000)}


def test_an_upload_asks_for_the_six_video_tasks() -> None:
    upload = event("video.uploaded", video_id="v1", uri="file:///a.mp4", colour="red")
    found = jobs(upload)
    assert set(found) == VIDEO_TASKS
    assert {(job.priority, job.why, job.key) for job in found.values()} == {
        (8, Why.UPLOAD, f"{task}:video:v1") for task in VIDEO_TASKS
    }
    one = found["scene_detection"]
    assert (one.user_id, one.created_at, one.input_version, one.expires_at) == ("u1", 1_000, 5, None)
    assert b'"colour":"red"' in bytes(one.payload), "unknown fields travel on to the handlers"


def test_a_campaign_asks_for_its_texts_first_and_its_analytics_later() -> None:
    found = jobs(event("campaign.created", campaign_id="c1", brief="Half price"))
    assert {task: job.priority for task, job in found.items()} == {
        "variant_generation": 8,
        "variant_scoring": 8,
        "roas_prediction": 8,
        "campaign_analytics": 5,
    }
    assert {job.entity_id for job in found.values()} == {"c1"}


def test_a_login_asks_for_the_dashboard() -> None:
    found = jobs(event("user.logged_in"))
    assert {task: (job.priority, job.key) for task, job in found.items()} == {
        "dashboard_data": (7, "dashboard_data:user:u1")
    }


@pytest.mark.parametrize("kind", ["user.acted", "entity.changed"])
def test_what_only_adds_to_history_asks_for_nothing(kind: str) -> None:
    assert not jobs(event(kind, action="view", entity="video", entity_id="v1"))


def test_the_same_event_twice_is_the_same_jobs() -> None:
    first, again = (event("user.logged_in") for _ in range(2))
    other = event("user.logged_in", event_id="2")
    assert jobs(first)["dashboard_data"].id == jobs(again)["dashboard_data"].id
    assert jobs(first)["dashboard_data"].id != jobs(other)["dashboard_data"].id


def test_the_subject_is_what_the_event_is_about() -> None:
    upload = event("video.uploaded", video_id="v1", uri="x", campaign_id="c9")
    assert [subject_of(upload, kind) for kind in ("video", "campaign", "user", "film")] == [
        "v1",
        "c9",
        "u1",
        None,
    ]
    change = event("entity.changed", entity="film", entity_id="f1")
    assert [subject_of(change, kind) for kind in ("video", "film", "user")] == [None, "f1", "u1"]
    assert subject_of(event("video.uploaded", video_id="v1", uri="x"), "campaign") is None
    action = event("user.acted", action="view", entity="film", entity_id="f2")
    assert [subject_of(action, kind) for kind in ("video", "film", "user")] == [None, "f2", "u1"]


def test_a_trigger_on_a_campaign_is_silent_for_a_video_without_one() -> None:
    extra = Trigger("video.uploaded", "campaign_analytics", 4, Why.UPLOAD)
    table = TriggerTable([extra], BUILTIN_TASKS)
    assert not jobs(event("video.uploaded", video_id="v1", uri="x"), table)
    assert jobs(event("video.uploaded", video_id="v1", uri="x", campaign_id="c9"), table)


def test_wrong_triggers_stop_the_start() -> None:
    with pytest.raises(ConfigurationError, match="no handler declares"):
        TriggerTable([Trigger("video.uploaded", "colours", 5, Why.UPLOAD)], BUILTIN_TASKS)
    with pytest.raises(ConfigurationError, match="priority is 1 to 10"):
        Trigger("video.uploaded", "scene_detection", 11, Why.UPLOAD)
