"""JSON Schemas of what publishers send and workers read: made from the types that decode it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from streams.contracts.errors import ContractError
from streams.contracts.events import DATA_TYPES, EventType
from streams.contracts.jobs import Job

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

#: What a check outside of the type says: a video has an address under one of these names.
_ADDRESSES = ("uri", "url", "file_path")


def event_schema(event_type: str) -> Schema:
    """The schema of an event's data; raises `ContractError` for a type that is not known.

    Unknown fields are allowed: they travel on to the handlers.
    """
    kind = DATA_TYPES.get(event_type)
    if kind is None:
        raise ContractError(f"unknown event type {event_type[:128]!r}; known are {', '.join(DATA_TYPES)}")
    schema = inlined(msgspec.json.schema(kind))
    # In plain JSON alone it may stand beside the data instead; see `plain_schema`.
    schema["required"] = ["user_id", *schema.get("required", [])]
    if event_type == EventType.VIDEO_UPLOADED:
        schema["anyOf"] = [{"required": [name]} for name in _ADDRESSES]
    return {"$schema": DIALECT, **schema, "title": f"data of {event_type}"}


def event_schemas(event_types: Iterable[str] | None = None) -> dict[str, Schema]:
    """The data of those event types, by type; of all that this process knows where none are given."""
    chosen = DATA_TYPES if event_types is None else event_types
    return {str(event_type): event_schema(event_type) for event_type in chosen}


def plain_schema(event_types: Iterable[str] | None = None) -> Schema:
    """A whole event in plain JSON: `user_id` stands in `data` or on top."""
    events = event_schemas(event_types)
    extra: Schema = {"user_id": {"type": "string"}}
    return _whole("an event in plain JSON", events, ("type", "data"), extra, on_top=True)


def structured_schema(event_types: Iterable[str] | None = None) -> Schema:
    """A whole event as a CloudEvent in structured mode (`application/cloudevents+json`)."""
    extra: Schema = {
        "specversion": {"const": "1.0"},
        "source": {"type": "string", "minLength": 1, "maxLength": 1024},
        "traceparent": {"type": "string"},
    }
    required = ("specversion", "type", "source", "id", "data")
    events = event_schemas(event_types)
    return _whole("an event as a structured CloudEvent", events, required, extra, on_top=False)


def job_schema() -> Schema:
    """A record of a job topic."""
    fields = [
        # The payload is kept as bytes until its handler runs; on the wire it is an object.
        (one.name, dict[str, Any], {}) if one.name == "payload" else _field(one)
        for one in msgspec.structs.fields(Job)
    ]
    schema = inlined(msgspec.json.schema(msgspec.defstruct("Job", fields, kw_only=True)))
    return {"$schema": DIALECT, **schema, "title": "a job"}


def inlined(schema: Schema) -> Schema:
    """The same schema with every reference replaced by what it names; the types here refer in no circle."""
    definitions = schema.get("$defs", {})

    def expand(part: Any) -> Any:
        if isinstance(part, list):
            return [expand(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            named = expand(definitions[part["$ref"].rpartition("/")[2]])
            return {**named, **{key: value for key, value in part.items() if key != "$ref"}}
        return {key: expand(value) for key, value in part.items() if key != "$defs"}

    expanded: Schema = expand(schema)
    return expanded


def _field(one: msgspec.structs.FieldInfo) -> Any:
    if one.default is not msgspec.NODEFAULT:
        return (one.name, one.type, one.default)
    return (one.name, one.type)


def _whole(
    title: str, events: dict[str, Schema], required: tuple[str, ...], extra: Schema, *, on_top: bool
) -> Schema:
    branches = []
    for event_type, data in events.items():
        del data["$schema"]
        if on_top:
            data["required"] = [name for name in data["required"] if name != "user_id"]
        branch: Schema = {"properties": {"type": {"const": event_type}, "data": data}}
        if on_top:
            inside = {"properties": {"data": {"required": ["user_id"]}}}
            branch["anyOf"] = [{"required": ["user_id"]}, inside]
        branches.append(branch)
    return {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "properties": {
            "type": {"enum": list(events)},
            "id": {"type": "string", "minLength": 1, "maxLength": 1024},
            "time": {"type": "string", "format": "date-time"},
            "data": {"type": "object"},
            **extra,
        },
        "required": list(required),
        "oneOf": branches,
    }
