from __future__ import annotations

import msgspec
import pytest
from contract_samples import PLACE, STRUCTURED, ids, json_values, plain
from hypothesis import example, given
from hypothesis import strategies as st

from streams.contracts.cloudevents import decode_event
from streams.contracts.errors import EventError
from streams.contracts.events import DATA_TYPES, Event
from streams.contracts.topics import MAX_EVENT_BYTES, MAX_HEADER_BYTES

#: Metric labels: whatever arrives, nothing else is counted under.
REASONS = {"not_json", "too_large", "schema", "unknown_type", "user_mismatch"}
VIDEO = {"user_id": "u1", "video_id": "v1", "uri": "file:///a.mp4"}
BINARY = {"ce_specversion": b"1.0", "ce_type": b"user.logged_in", "ce_source": b"s", "ce_id": b"1"}


def decoded(value: bytes | None, headers: object) -> Event | EventError:
    try:
        return decode_event(value, headers, PLACE)  # type: ignore[arg-type]
    except EventError as error:
        return error


def refused(value: bytes | None, headers: object = ()) -> EventError:
    error = decoded(value, headers)
    assert isinstance(error, EventError)
    assert error.reason in REASONS
    assert len(str(error)) < 600
    return error


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"hello",
        b"\x00" * 64,
        b"\xff\xfe\xfd",
        b"{" * 5_000,
        b"[" * 2_000_000,
        b"\x1f\x8b" * 1_000_000,
        b'{"type": "user.logged_in", "data": ' + b"[" * 1_500 + b"]" * 1_500 + b"}",
        b'{"type": "user.logged_in", "data": {"user_id": "u1", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
        b'{"type": "user.logged_in", "data": {"user_id": "u1"}} {"a": 1}',
        b'{"type": "user.logged_in", "data": {"user_id": "u1", "unheard_of": "\xff\xfe"}}',
        b'{"type": "user.logged_in", "id": "\\ud800", "data": {"user_id": "u1"}}',
        b'{"type": "user.logged_in", "data": {"user_id": "u1", "note": "a\nb"}}',
    ],
    ids=lambda value: repr(value)[:24],
)
def test_junk_is_a_dead_letter(value: bytes | None) -> None:
    assert refused(value).reason in ("not_json", "schema")


def test_more_than_an_event_may_have_is_too_large() -> None:
    assert refused(b" " * (MAX_EVENT_BYTES + 1)).reason == "too_large"
    assert refused(b"{}", [("x", bytes(MAX_HEADER_BYTES + 1))]).reason == "too_large"
    assert refused(b"{}", [(f"h{n}", None) for n in range(20_000)]).reason == "too_large"


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("video.uploaded", {"video_id": None}, "data.video_id"),
        ("video.uploaded", {"video_id": "a:b"}, "data.video_id"),
        ("video.uploaded", {"video_id": "v1\n"}, "data.video_id"),
        ("video.uploaded", {"video_id": ""}, "data.video_id"),
        ("video.uploaded", {"video_id": "x" * 129}, "data.video_id"),
        ("video.uploaded", {"video_id": 7}, "data.video_id"),
        ("video.uploaded", {"user_id": "u 1"}, "data.user_id"),
        ("video.uploaded", {"uri": ""}, "data.uri"),
        ("video.uploaded", {"duration_s": -1}, "data.duration_s"),
        ("video.uploaded", {"stats": []}, "data.stats"),
        ("campaign.created", {"campaign_id": "c1", "brief": 3}, "data.brief"),
        (
            "campaign.created",
            {"campaign_id": "c1", "brief": "", "video_ids": ["a", "b\u2028"]},
            "data.video_ids[1]",
        ),
        ("user.acted", {"action": "a b"}, "data.action"),
        ("user.acted", {}, "data.action"),
        ("entity.changed", {"entity": "video"}, "data.entity_id"),
    ],
)
def test_a_wrong_value_is_named(kind: str, change: dict[str, object], field: str) -> None:
    error = refused(plain(kind, {**VIDEO, **change}))
    assert (error.reason, error.field) == ("schema", field)
    assert field in str(error)


@pytest.mark.parametrize("missing", ["video_id", "user_id", "uri"])
def test_a_missing_field_is_named(missing: str) -> None:
    data = {name: value for name, value in VIDEO.items() if name != missing}
    error = refused(plain("video.uploaded", data))
    assert (error.reason, error.field) == ("schema", f"data.{missing}")


@pytest.mark.parametrize("missing", ["specversion", "type", "source", "id"])
def test_a_missing_attribute_is_named_in_structured_mode(missing: str) -> None:
    fields = {
        "specversion": "1.0",
        "type": "user.logged_in",
        "source": "s",
        "id": "1",
        "data": {"user_id": "u1"},
    }
    del fields[missing]
    assert refused(msgspec.json.encode(fields), STRUCTURED).field == missing


@pytest.mark.parametrize("missing", ["ce_type", "ce_source", "ce_id"])
@pytest.mark.parametrize("value", [None, b"", b"\xff", b"a\nb", b"x" * 2_000])
def test_a_wrong_attribute_is_named_in_binary_mode(missing: str, value: bytes | None) -> None:
    headers = list((BINARY | {missing: value}).items())
    assert refused(b'{"user_id": "u1"}', headers).field in (missing, "type")


@pytest.mark.parametrize("text", ["", "a\nb", "\x00", "\x7f", "x" * 1_025])
@pytest.mark.parametrize("attribute", ["id", "type"])
def test_attributes_hold_no_control_characters(attribute: str, text: str) -> None:
    value = msgspec.json.encode({"type": "user.logged_in", "data": {"user_id": "u1"}, attribute: text})
    assert refused(value).field == attribute


def test_an_unknown_type_lists_the_known_ones() -> None:
    error = refused(plain("video.deleted", {"user_id": "u1"}))
    assert (error.reason, error.field) == ("unknown_type", "type")
    assert all(kind in str(error) for kind in DATA_TYPES)
    assert "x" * 200 not in str(refused(plain("x" * 1_000, {})))


def test_two_users_are_none() -> None:
    assert refused(plain("user.logged_in", {"user_id": "a"}, user_id="b")).reason == "user_mismatch"
    assert refused(plain("user.logged_in", {}, user_id="a b")).field == "user_id"


@pytest.mark.parametrize("time", ["2026-05-01T12:00:00", "yesterday", 1_700_000_000, "2026-13-01T00:00:00Z"])
def test_a_time_without_a_zone_or_sense_is_refused(time: object) -> None:
    assert refused(plain("user.logged_in", {"user_id": "u1"}, time=time)).field == "time"
    if isinstance(time, str):
        assert refused(b'{"user_id": "u1"}', [*BINARY.items(), ("ce_time", time.encode())]).field == "time"


def test_another_version_of_cloudevents_is_refused() -> None:
    assert refused(b"{}", list((BINARY | {"ce_specversion": b"0.3"}).items())).field == "specversion"


def test_base64_that_is_none_is_refused() -> None:
    fields = {"specversion": "1.0", "type": "user.logged_in", "source": "s", "id": "1"}
    assert refused(msgspec.json.encode(fields), STRUCTURED).field == "data"
    assert refused(msgspec.json.encode(fields | {"data_base64": "?"}), STRUCTURED).field == "data_base64"


headers = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_time", "traceparent", "ce_traceparent", "x", *BINARY]),
        st.none() | st.binary(max_size=12) | st.sampled_from([*BINARY.values(), STRUCTURED[0][1]]),
    ),
    max_size=8,
)
documents = st.dictionaries(
    st.sampled_from(["type", "data", "id", "time", "user_id", "source", "specversion", "data_base64"]),
    st.sampled_from([*DATA_TYPES, "1.0"])
    | json_values
    | st.fixed_dictionaries({"user_id": ids | json_values}),
).map(msgspec.json.encode)


@given(st.binary(max_size=200) | documents, headers)
@example(b'{"type":"user.logged_in","data":{"user_id":"u"}}', [("traceparent", b"\xed\xa0\x80")])
def test_whatever_comes_is_an_event_or_a_dead_letter(
    value: bytes, pairs: list[tuple[str, bytes | None]]
) -> None:
    event = decoded(value, pairs)
    if isinstance(event, EventError):
        assert event.reason in REASONS
        return
    # What passes must be fit to be sent on: as UTF-8, inside a job's JSON.
    assert event.cause.encode()
    assert (event.traceparent or "").encode("ascii") is not None
    msgspec.json.decode(event.raw_data.decode())
