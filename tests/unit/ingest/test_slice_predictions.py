from __future__ import annotations

import math

from ingest_samples import GAP_MS, START_MS, FixedModel, Stream, record, upload

from predictor.history import END, LOGIN
from streams.contracts.jobs import Group, Job, Why
from streams.ingest.effects import Effects
from streams.ingest.state import decode_input


def predicted(effects: Effects) -> list[Job]:
    return [outgoing.job for outgoing in effects.jobs if outgoing.job.why is Why.PREDICTED]


def acted(name: str, at_ms: int = START_MS, **data: str) -> object:
    return record("user.acted", {"action": name, **data}, at_ms=at_ms)


def test_a_likely_action_is_computed_before_it_is_asked_for() -> None:
    stream = Stream(model=FixedModel(view_hook=0.8, END=0.2))
    stream.process(upload("v1"))
    effects = stream.process(acted("view_video_analysis", entity="video", entity_id="v1"))
    (job,) = predicted(effects)
    assert (job.task, job.entity_id, job.group) == ("hook_analysis", "v1", Group.TREATMENT)
    assert 2 <= job.priority <= 6
    assert job.expires_at == job.created_at + 600_000
    assert bytes(job.payload) == decode_input(stream.inputs[b"video:v1"]).payload
    (shown,) = effects.predictions
    assert (shown.user_id, shown.model_version) == ("u1", "fixed")
    assert [(one.action, one.acted_on) for one in shown.predictions] == [("view_hook", True), ("END", False)]


def test_what_the_event_itself_asks_for_is_not_asked_for_twice() -> None:
    stream = Stream(model=FixedModel(view_dashboard=0.9, END=0.1))
    effects = stream.process(record("user.logged_in"))
    assert [outgoing.job.task for outgoing in effects.jobs] == ["dashboard_data"]
    assert effects.predictions[0].predictions[0].why_not == "already_fresh"


def test_an_entity_nobody_brought_in_is_not_computed() -> None:
    stream = Stream(model=FixedModel(view_hook=0.9, END=0.1))
    effects = stream.process(acted("view_video_analysis", entity="video", entity_id="v404"))
    assert not predicted(effects)
    assert effects.predictions[0].predictions[0].why_not == "no_entity"


def test_a_user_is_predicted_for_once_a_slice() -> None:
    effects = Stream().process(*(acted("view_roas") for _ in range(5)))
    assert len(effects.predictions) == 1


def test_uploads_and_changes_ask_for_no_prediction() -> None:
    change = record("entity.changed", {"entity": "video", "entity_id": "v1"})
    assert not Stream().process(upload("v1"), change).predictions


def test_held_out_jobs_are_stamped_and_still_sent() -> None:
    groups = set()
    for number in range(60):
        stream = Stream(model=FixedModel(view_hook=0.9, END=0.1), holdout=0.5)
        video = f"v{number}"
        stream.process(upload(video))
        (job,) = predicted(stream.process(acted("view_video_analysis", entity="video", entity_id=video)))
        groups.add(job.group)
    assert groups == {Group.TREATMENT, Group.HOLDOUT}


def test_the_prediction_before_is_scored_before_the_model_learns() -> None:
    stream = Stream(model=FixedModel(view_roas=0.75, view_ctr=0.2, END=0.05))
    stream.process(record("user.logged_in"))
    stream.process(acted("view_roas"))
    assert math.isclose(stream.scores.export("fixed").log_loss, -math.log(0.75))
    assert stream.model.observed == [LOGIN, "view_roas"]


def test_whoever_comes_back_later_had_ended_the_session() -> None:
    stream = Stream(model=FixedModel(view_roas=0.5, END=0.5))
    stream.process(record("user.logged_in"))
    later = START_MS + GAP_MS + 1_000
    stream.process(record("user.logged_in", at_ms=later))
    scored = stream.scores.export("fixed")
    assert scored.n == 1
    assert math.isclose(scored.log_loss, -math.log(0.5)), f"a log-in is the {END} of the session before"


def test_a_second_log_in_within_a_session_says_nothing() -> None:
    stream = Stream(model=FixedModel(view_roas=0.5, END=0.5))
    stream.process(record("user.logged_in"))
    stream.process(record("user.logged_in", at_ms=START_MS + 1_000))
    assert stream.scores.export("fixed").n == 0
