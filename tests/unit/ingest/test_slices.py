from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_samples import START_MS, FixedModel, Stream, raw_record, record, upload

from streams.contracts.jobs import Why, decode_job, encode_job
from streams.ingest.effects import Effects
from streams.ingest.partitions import partition_of
from streams.ingest.slices import REROUTED
from streams.ingest.state import decode_input

WRONG = (partition_of(b"u1", 4) + 1) % 4


def tasks(effects: Effects, why: Why) -> Counter[str]:
    return Counter(outgoing.job.task for outgoing in effects.jobs if outgoing.job.why is why)


def test_an_upload_asks_for_its_six_tasks_and_is_remembered() -> None:
    stream = Stream()
    effects = stream.process(upload())
    assert len(effects.jobs) == sum(tasks(effects, Why.UPLOAD).values()) == 6
    assert stream.names() == ["LOGIN", "upload_video"]
    assert set(effects.inputs) == {"video:v1"}
    assert effects.counts == {("video.uploaded", "ok"): 1}
    version = decode_input(stream.inputs[b"video:v1"]).version
    assert {outgoing.job.input_version for outgoing in effects.jobs} == {version}


def test_jobs_tell_when_their_event_got_into_kafka() -> None:
    stream = Stream()
    stream.clock.advance(40.0)
    late = stream.process(upload("v1"), record("user.acted", {"action": "view_roas"}))
    assert {outgoing.job.why for outgoing in late.jobs} == {Why.UPLOAD, Why.PREDICTED}
    assert {outgoing.job.event_at for outgoing in late.jobs} == {START_MS}
    assert {outgoing.job.created_at for outgoing in late.jobs} == {START_MS + 40_000}


@pytest.mark.parametrize("at_ms", [-1, START_MS + 60_000, 1_700_000_000_000_000])
def test_a_timestamp_that_cannot_be_is_left_out_of_jobs(at_ms: int) -> None:
    """Not set, ahead of our clock, in microseconds: the jobs are measured from their own creation."""
    effects = Stream().process(upload("v1", at_ms=at_ms))
    assert {outgoing.job.event_at for outgoing in effects.jobs} == {None}
    assert all(decode_job(encode_job(outgoing.job)) == outgoing.job for outgoing in effects.jobs)


def test_versions_grow_even_where_the_broker_s_clock_steps_back() -> None:
    stream = Stream()
    versions = [
        stream.process(upload(at_ms=at)).jobs[0].job.input_version
        for at in (START_MS, START_MS, START_MS - 60_000, START_MS + 1, -1, 1_700_000_000_000_000)
    ]
    assert versions == sorted(set(versions))
    assert versions[0] >= 0
    assert versions[-1] < 2**63


def test_the_same_records_again_change_no_history_and_ask_for_the_same_jobs() -> None:
    stream = Stream()
    slice_ = [
        upload("v1"),
        record("user.logged_in"),
        upload("v2"),
        record("user.acted", {"action": "view_roas"}),
    ]
    first = stream.process(*slice_)
    before = (stream.names(), stream.state().version, dict(stream.inputs), list(stream.model.observed))
    again = stream.process(*slice_)
    assert (stream.names(), stream.state().version, dict(stream.inputs), stream.model.observed) == before
    assert {o.job.id for o in again.jobs} == {o.job.id for o in first.jobs}
    assert set(again.inputs) == set(first.inputs), "the mirror may have missed them"


def test_an_input_lost_in_a_crash_comes_back_with_the_replay() -> None:
    """The changelogs of users and inputs are two: one may have been written and the other not."""
    stream = Stream()
    one, two = upload("v1"), upload("v1", data={"title": "newer"})
    stream.process(one, two)
    del stream.inputs[b"video:v1"]
    stream.process(one, two)
    assert b"newer" in decode_input(stream.inputs[b"video:v1"]).payload
    assert stream.names().count("upload_video") == 2


def test_an_event_published_twice_counts_once() -> None:
    stream = Stream()
    effects = stream.process(upload(event_id="same"), upload(event_id="same"))
    assert len(effects.jobs) == 6
    assert effects.counts["video.uploaded", "duplicate"] == 1
    assert stream.names().count("upload_video") == 1


def test_only_so_many_inputs_are_kept_and_the_oldest_go() -> None:
    stream = Stream(most_entities=3)
    effects = stream.process(*(upload(f"v{n}") for n in (1, 2, 3, 1, 4, 5)))
    assert set(stream.inputs) == {b"video:v1", b"video:v4", b"video:v5"}
    assert {name for name, row in effects.inputs.items() if row is None} == {"video:v2", "video:v3"}


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (None, b"u1", "not_json"),
        (b"\xff" * 100, b"u1", "not_json"),
        (b'{"type": "user.logged_in", "data": {"user_id": "u1"}}', b"u2", "key_mismatch"),
        (b'{"type": "user.logged_in", "data": {"user_id": "u1"}}', None, "key_mismatch"),
        (b'{"type": "user.left", "data": {"user_id": "u1"}}', b"u1", "unknown_type"),
    ],
)
def test_bad_input_is_a_letter_and_its_neighbours_are_not(
    value: bytes | None, key: bytes | None, reason: str
) -> None:
    stream = Stream()
    bad = raw_record(value, key)
    effects = stream.process(upload("v1"), bad, upload("v2"))
    (letter,) = effects.letters
    assert (letter.record, letter.reason) == (bad, reason)
    assert letter.message
    assert sum(tasks(effects, Why.UPLOAD).values()) == 12
    assert effects.counts["", reason] == 1


def test_a_right_key_on_a_wrong_partition_is_sent_on_once() -> None:
    stream = Stream()
    lost = upload(partition=WRONG)
    effects = stream.process(lost)
    assert (effects.rerouted, effects.jobs, stream.users) == ([lost], [], {})
    again = upload(partition=WRONG, headers=[(REROUTED, b"1")])
    assert [letter.reason for letter in stream.process(again).letters] == ["misrouted"]


def test_a_known_user_s_event_on_a_wrong_partition_is_sent_on_too() -> None:
    """Its offset there says nothing about the offsets of the right one."""
    stream = Stream()
    stream.process(upload("v1", offset=500))
    effects = stream.process(upload("v2", offset=3, partition=WRONG))
    assert len(effects.rerouted) == 1
    stream.process(upload("v2", offset=501))
    assert stream.names().count("upload_video") == 2


def test_a_change_invalidates_what_was_there_and_asks_for_it_anew() -> None:
    stream = Stream()
    stream.process(upload("v1"))
    old = decode_input(stream.inputs[b"video:v1"]).version
    stream.clock.advance(5.0)
    change = {"entity": "video", "entity_id": "v1"}
    effects = stream.process(record("entity.changed", change, at_ms=START_MS + 5_000))
    assert sum(tasks(effects, Why.CHANGED).values()) == 6
    jobs = [outgoing.job for outgoing in effects.jobs]
    assert {(job.priority, job.recompute) for job in jobs} == {(5, True)}
    assert set(effects.invalidated) == {job.key for job in jobs}
    # A worker may have begun before Redis hears of the invalidation: that answer must stay.
    assert all(at < job.created_at for at in effects.invalidated.values() for job in jobs)
    # A later refresh is made of the kept input: it must not look older than these answers.
    row = decode_input(stream.inputs[b"video:v1"])
    assert row.version == jobs[0].input_version > old
    assert row.payload == bytes(jobs[0].payload)


def test_a_change_of_something_unknown_only_invalidates() -> None:
    effects = Stream().process(record("entity.changed", {"entity": "campaign", "entity_id": "c9"}))
    assert not effects.jobs
    assert len(effects.invalidated) == 4


def test_a_trace_travels_with_its_jobs() -> None:
    parent = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    effects = Stream().process(upload(headers=[("traceparent", parent)]))
    assert {outgoing.context for outgoing in effects.jobs} == {(("traceparent", parent),)}


junk = st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b'{"type":"user.acted","data":{}}'])
actions = st.builds(
    lambda name: record("user.acted", {"action": name}), st.sampled_from(["view_roas", "view_ctr"])
)
events = st.lists(
    st.builds(raw_record, junk, st.none() | st.sampled_from([b"u1", b"\xff"]))
    | actions
    | st.builds(upload, st.sampled_from(["v1", "v2"])),
    max_size=12,
)


@given(events, st.integers(0, 12))
def test_where_a_slice_ends_makes_no_difference(records: list[object], cut: int) -> None:
    whole, parts = Stream(model=FixedModel(END=1.0)), Stream(model=FixedModel(END=1.0))
    one = whole.process(*records)
    two = [parts.process(*records[:cut]), parts.process(*records[cut:])]
    assert (whole.users, whole.inputs) == (parts.users, parts.inputs)
    assert {o.job.id for o in one.jobs} == {o.job.id for effects in two for o in effects.jobs}
    assert len(one.letters) == sum(len(effects.letters) for effects in two)
    for outgoing in one.jobs:
        assert decode_job(encode_job(outgoing.job)) == outgoing.job
        msgspec.json.decode(outgoing.job.payload)
