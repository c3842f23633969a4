"""CloudEvents 1.0 on Kafka: binary mode, structured mode, and plain JSON.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from streams.contracts.clock import millis
from streams.contracts.decoding import failure_of
from streams.contracts.errors import EventError
from streams.contracts.events import Event, EventData, decode_data
from streams.contracts.ids import is_id
from streams.contracts.topics import MAX_EVENT_BYTES, MAX_HEADER_BYTES

Headers = Sequence[tuple[str, bytes | None]]

STRUCTURED = b"application/cloudevents+json"
#: The source of events in plain JSON, which has no such attribute.
PLAIN_SOURCE = "plain"

#: The specification allows no control characters in an attribute.
_ATTRIBUTE = r"^[^\x00-\x1f\x7f-\x9f]{1,1024}(?![\s\S])"
_Attribute = Annotated[str, msgspec.Meta(pattern=_ATTRIBUTE)]
_is_attribute = re.compile(_ATTRIBUTE).match
#: W3C Trace Context; whatever else stands there is not worth carrying on.
_is_traceparent = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch


class RecordPlace(msgspec.Struct, frozen=True):
    """Where a record stood, and the time (milliseconds since the epoch) that it got there."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int

    @property
    def text(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class _Structured(msgspec.Struct, frozen=True):
    specversion: _Attribute
    type: _Attribute
    source: _Attribute
    id: _Attribute
    time: datetime | None = None
    #: Empty where it is missing: a union of Raw and None would not decode.
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None
    traceparent: str | None = None


class _Plain(msgspec.Struct, frozen=True):
    type: _Attribute
    data: msgspec.Raw
    id: _Attribute | None = None
    time: datetime | None = None
    user_id: str | None = None


_structured = msgspec.json.Decoder(_Structured)
_plain = msgspec.json.Decoder(_Plain)
_time = msgspec.json.Decoder(datetime)


class _Parts(msgspec.Struct):
    """An event's attributes before its data is looked at; `user_id` only where it stood on top."""

    type: str
    source: str
    id: str | None
    time: datetime | None
    raw: bytes
    user_id: str | None = None
    traceparent: str | None = None


def decode_event(value: bytes | None, headers: Headers, place: RecordPlace) -> Event:
    """Reads one record in whichever mode it is written; raises `EventError` with the dead letter's reason."""
    if not value:
        raise EventError("the record has no value", reason="not_json")
    if len(value) > MAX_EVENT_BYTES:
        raise EventError(f"{len(value)} bytes; an event has at most {MAX_EVENT_BYTES}", reason="too_large")
    if headers and sum([len(name) + len(raw or b"") for name, raw in headers]) > MAX_HEADER_BYTES:
        raise EventError(f"an event's headers have at most {MAX_HEADER_BYTES} bytes", reason="too_large")
    parts = _split(value, {name.lower(): raw for name, raw in headers})
    data = decode_data(parts.type, parts.raw)
    _check_text(parts.raw)
    return Event(
        type=parts.type,
        source=parts.source,
        id=parts.id or place.text,
        time_ms=_event_time(parts.time, place),
        user_id=_user_of(data, parts.user_id),
        data=data,
        raw_data=parts.raw,
        traceparent=_trace_of(parts.traceparent),
    )


def _split(value: bytes, headers: dict[str, bytes | None]) -> _Parts:
    if (headers.get("content-type") or b"").startswith(STRUCTURED):
        return _split_structured(value)
    if "ce_specversion" in headers:
        return _split_binary(value, headers)
    return _split_plain(value, headers)


def _split_binary(value: bytes, headers: dict[str, bytes | None]) -> _Parts:
    def text(name: str) -> str | None:
        raw = headers.get(name)
        try:
            return raw.decode() if raw else None
        except UnicodeDecodeError as exc:
            raise EventError(f"header {name} is not UTF-8", reason="schema", field=name) from exc

    def required(name: str) -> str:
        found = text(name)
        if not found:
            raise EventError(f"header {name} is missing or empty", reason="schema", field=name)
        if _is_attribute(found) is None:
            raise EventError(
                f"header {name}: 1 to 1024 characters, no control characters", reason="schema", field=name
            )
        return found

    _check_version(required("ce_specversion"))
    stamp = text("ce_time")
    return _Parts(
        type=required("ce_type"),
        source=required("ce_source"),
        id=required("ce_id"),
        time=_parse_time(stamp) if stamp else None,
        raw=value,
        traceparent=_ascii(headers.get("ce_traceparent")) or _ascii(headers.get("traceparent")),
    )


def _split_structured(value: bytes) -> _Parts:
    event = _decode(_structured, value)
    _check_version(event.specversion)
    return _Parts(
        type=event.type,
        source=event.source,
        id=event.id,
        time=event.time,
        raw=_data_of(event),
        traceparent=event.traceparent,
    )


def _split_plain(value: bytes, headers: dict[str, bytes | None]) -> _Parts:
    event = _decode(_plain, value)
    return _Parts(
        type=event.type,
        source=PLAIN_SOURCE,
        id=event.id,
        time=event.time,
        raw=bytes(event.data),
        user_id=event.user_id,
        traceparent=_ascii(headers.get("traceparent")),
    )


def _decode(decoder: msgspec.json.Decoder[Any], value: bytes) -> Any:
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as exc:
        message, field = failure_of(exc)
        raise EventError(f"{field or 'event'}: {message}", reason="schema", field=field) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise EventError(f"not JSON: {exc}", reason="not_json") from exc


def _data_of(event: _Structured) -> bytes:
    if bytes(event.data):
        return bytes(event.data)
    if event.data_base64 is None:
        raise EventError("data is missing", reason="schema", field="data")
    try:
        return base64.b64decode(event.data_base64, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise EventError(f"data_base64: {exc}", reason="schema", field="data_base64") from exc


def _check_text(raw: bytes) -> None:
    """The decoder leaves fields that it skips unread; the data goes on into other JSON as it is."""
    if raw.isascii():
        return
    try:
        raw.decode()
    except UnicodeDecodeError as exc:
        raise EventError(f"data is not UTF-8: {exc.reason}", reason="not_json", field="data") from exc


def _ascii(raw: bytes | None) -> str | None:
    return raw.decode("ascii", "replace") if raw else None


def _trace_of(text: str | None) -> str | None:
    return text if text is not None and _is_traceparent(text) else None


def _check_version(version: str) -> None:
    if version != "1.0":
        raise EventError(
            f"specversion is {version[:16]!r}, known is 1.0", reason="schema", field="specversion"
        )


def _parse_time(text: str) -> datetime:
    try:
        return _time.decode(msgspec.json.encode(text))
    except msgspec.ValidationError as exc:
        raise EventError(f"time: {exc}", reason="schema", field="time") from exc


def _event_time(time: datetime | None, place: RecordPlace) -> int:
    if time is None:
        return place.timestamp_ms
    if time.tzinfo is None:
        raise EventError("time has no zone; RFC 3339 asks for Z or an offset", reason="schema", field="time")
    return millis(time.timestamp())


def _user_of(data: EventData, on_top: str | None) -> str:
    inside = data.user_id
    if isinstance(inside, str):
        if on_top is not None and on_top != inside:
            raise EventError("user_id on top and in data disagree", reason="user_mismatch", field="user_id")
        return inside
    if on_top is None:
        raise EventError("data.user_id is missing", reason="schema", field="data.user_id")
    if not is_id(on_top):
        raise EventError("user_id takes 1 to 128 of A-Za-z0-9._-", reason="schema", field="user_id")
    return on_top


def encode_binary(
    event_type: str, data: bytes, *, source: str, event_id: str, time: datetime | None = None
) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A record's value and headers in binary mode: what `precompute publish` and the API send."""
    stamp = (time or datetime.now(UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", event_type.encode()),
        ("ce_source", source.encode()),
        ("ce_id", event_id.encode()),
        ("ce_time", stamp.encode()),
        ("content-type", b"application/json"),
    ]
    return data, headers
