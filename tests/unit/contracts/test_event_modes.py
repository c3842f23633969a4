from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from contract_samples import PLACE, STRUCTURED, attributes, event_data, plain
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.cloudevents import decode_event, encode_binary
from streams.contracts.events import DATA_TYPES, EventType, decode_data, topic_of
from streams.contracts.topics import TopicNames

LOGIN = {"user_id": "u1"}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Milliseconds, as publishers write them; years that clocks and datetime both know.
times = st.integers(631_152_000_000, 7_258_118_400_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms))


def epoch_ms(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


@given(event_data(), attributes, attributes, times)
def test_binary_mode_brings_back_what_was_sent(
    sent: tuple[str, dict[str, object]], source: str, event_id: str, time: datetime
) -> None:
    kind, data = sent
    raw = msgspec.json.encode(data)
    value, headers = encode_binary(kind, raw, source=source, event_id=event_id, time=time)

    event = decode_event(value, headers, PLACE)

    assert (event.type, event.source, event.id, event.user_id) == (kind, source, event_id, data["user_id"])
    assert event.time_ms == epoch_ms(time)
    assert event.raw_data == raw
    assert type(event.data) is DATA_TYPES[kind]


@given(event_data(), attributes, attributes, times, st.booleans())
def test_structured_mode_brings_back_what_was_sent(
    sent: tuple[str, dict[str, object]], source: str, event_id: str, time: datetime, as_base64: bool
) -> None:
    kind, data = sent
    raw = msgspec.json.encode(data)
    body = {"data_base64": base64.b64encode(raw).decode()} if as_base64 else {"data": msgspec.Raw(raw)}
    fields = {"specversion": "1.0", "type": kind, "source": source, "id": event_id, "time": time}

    event = decode_event(msgspec.json.encode(fields | body), STRUCTURED, PLACE)

    assert (event.source, event.id, event.time_ms) == (source, event_id, epoch_ms(time))
    assert event.raw_data == raw
    assert event.data == decode_data(kind, raw)


@given(event_data(), st.none() | attributes, st.booleans())
def test_plain_json_brings_back_what_was_sent(
    sent: tuple[str, dict[str, object]], event_id: str | None, on_top: bool
) -> None:
    kind, data = sent
    user = str(data["user_id"])
    top = {"user_id": data.pop("user_id")} if on_top else {}
    own_id = {} if event_id is None else {"id": event_id}

    event = decode_event(plain(kind, data, **top, **own_id), (), PLACE)

    assert event.user_id == user
    assert event.source == "plain"
    assert event.id == (event_id or "precompute.events.users/3/41")
    assert event.raw_data == msgspec.json.encode(data)


def test_without_a_time_the_record_s_own_counts() -> None:
    assert decode_event(plain("user.logged_in", LOGIN), (), PLACE).time_ms == PLACE.timestamp_ms


def test_an_offset_is_the_same_instant() -> None:
    there = datetime(2026, 5, 1, 12, 0, 0, 1000, timezone(timedelta(hours=9)))
    event = decode_event(plain("user.logged_in", LOGIN, time=there), (), PLACE)
    assert event.time_ms == epoch_ms(there)


def test_header_names_of_any_case_are_read() -> None:
    headers = [
        ("CE_SpecVersion", b"1.0"),
        ("Ce_Type", b"user.logged_in"),
        ("ce_source", b"s"),
        ("CE_ID", b"7"),
    ]
    assert decode_event(b'{"user_id": "u1"}', headers, PLACE).id == "7"


@pytest.mark.parametrize("value", [PARENT, PARENT.replace("-01", "-00")])
def test_a_traceparent_travels_in_every_mode(value: str) -> None:
    raw = msgspec.json.encode(LOGIN)
    fields = {"specversion": "1.0", "type": "user.logged_in", "source": "s", "id": "1", "traceparent": value}
    body = msgspec.json.encode({**fields, "data": msgspec.Raw(raw)})
    _, headers = encode_binary("user.logged_in", raw, source="s", event_id="1")
    header = [("traceparent", value.encode())]

    assert decode_event(body, STRUCTURED, PLACE).traceparent == value
    assert decode_event(raw, [*headers, *header], PLACE).traceparent == value
    assert decode_event(plain("user.logged_in", LOGIN), header, PLACE).traceparent == value


@pytest.mark.parametrize("value", [b"x" * 10_000, b"\xff\xfe", b"", b"00-zz-11-22", PARENT.encode() + b"\n"])
def test_a_traceparent_that_is_none_is_left_behind(value: bytes) -> None:
    raw = msgspec.json.encode(LOGIN)
    _, headers = encode_binary("user.logged_in", raw, source="s", event_id="1")
    header = [("traceparent", value)]
    assert decode_event(raw, [*headers, *header], PLACE).traceparent is None
    assert decode_event(plain("user.logged_in", LOGIN), header, PLACE).traceparent is None


def test_every_type_has_a_topic() -> None:
    names = TopicNames("x.")
    assert {kind: topic_of(kind, names) for kind in EventType} == {
        "video.uploaded": "x.events.videos",
        "campaign.created": "x.events.campaigns",
        "user.logged_in": "x.events.users",
        "user.acted": "x.events.users",
        "entity.changed": "x.events.users",
    }
