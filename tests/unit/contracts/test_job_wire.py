from __future__ import annotations

import msgspec
import pytest
from contract_samples import jobs
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.errors import JobError
from streams.contracts.ids import derive_job_id, is_id
from streams.contracts.jobs import Job, Why, decode_job, encode_job, new_job, payload_of
from streams.contracts.keys import CacheKey

KEY = CacheKey("ctr_prediction", "video", "v1")
JOB = new_job(
    KEY, cause="s/1", user_id="u1", priority=8, why=Why.UPLOAD, created_at=1_700_000_000_000, input_version=7
)


def changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(encode_job(JOB)) | fields)


@given(jobs())
def test_a_job_survives_its_record(job: Job) -> None:
    found = decode_job(encode_job(job))
    assert found == job
    assert bytes(found.payload) == bytes(job.payload)


def test_ids_do_not_change_from_release_to_release() -> None:
    assert derive_job_id("ctr_prediction", "ctr_prediction:video:v1", "s/1") == "8c348cf17fe8a16d974f2665"
    assert JOB.id == derive_job_id(KEY.task, str(KEY), "s/1")


@given(st.text(), st.text())
def test_another_cause_is_another_job(cause: str, other: str) -> None:
    assert is_id(derive_job_id("t", "k", "c"))
    same = derive_job_id("t", "k", cause) == derive_job_id("t", "k", other)
    assert same == (cause == other)


def test_only_a_recomputation_says_so_in_its_record() -> None:
    assert b"recompute" not in encode_job(JOB)
    assert decode_job(changed(recompute=True)).recompute


@pytest.mark.parametrize("why", list(Why))
def test_records_from_before_the_flag_keep_their_meaning(why: Why) -> None:
    assert decode_job(changed(why=why)).recompute == (why in {Why.REFRESH, Why.CHANGED})


def test_unknown_fields_are_left_to_newer_releases() -> None:
    assert decode_job(changed(colour="red")) == JOB


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "a b"),
        ("id", ""),
        ("task", "ctr prediction"),
        ("entity_id", "v:1"),
        ("user_id", "u1\n"),
        ("priority", 0),
        ("priority", 11),
        ("why", "whim"),
        ("created_at", -1),
        ("created_at", 10**14),
        ("input_version", -1),
        ("input_version", 2**63),
        ("input_version", 1.5),
        ("probability", 1.1),
        ("attempt", -1),
        ("expires_at", "soon"),
        ("group", "control"),
    ],
)
def test_a_wrong_value_is_named(field: str, value: object) -> None:
    fields = {field: value}
    if field in ("task", "entity_id"):
        fields["key"] = f"{fields.get('task', JOB.task)}:video:{fields.get('entity_id', 'v1')}"
    with pytest.raises(JobError) as caught:
        decode_job(changed(**fields))
    assert caught.value.field == field


@pytest.mark.parametrize("key", ["ctr_prediction:video:v2", "scene_detection:video:v1", "", "a:b"])
def test_a_key_of_another_answer_is_refused(key: str) -> None:
    with pytest.raises(JobError, match="not the task, entity and id"):
        decode_job(changed(key=key))


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"null", b"\xff", b"{" * 10_000, b'{"payload":' + b"[" * 100_000]
)
def test_junk_is_no_job(value: bytes) -> None:
    with pytest.raises(JobError, match="not a job"):
        decode_job(value)


def test_a_job_expires_at_its_time_and_not_before() -> None:
    job = msgspec.structs.replace(JOB, expires_at=1_000)
    assert [job.is_expired(now) for now in (999, 1_000, 1_001)] == [False, True, True]
    assert not JOB.is_expired(10**14)


def test_the_payload_is_there_for_people() -> None:
    assert payload_of(msgspec.structs.replace(JOB, payload=msgspec.Raw(b'{"a": 1}'))) == {"a": 1}
