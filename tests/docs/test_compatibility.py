"""The compatibility gate lets additions pass and stops what breaks a publisher or a reader."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tools.compatibility.baseline import (
    additions,
    breaking_changes,
    closed_schemas,
    read_baseline,
    write_baseline,
)
from tools.compatibility.comparison import broken_for_readers, broken_for_writers

Schema = dict[str, Any]
Change = Callable[[Schema], None]

EVENT: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "maxLength": 10},
        "size": {"type": "number", "minimum": 0},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "kind": {"enum": ["a", "b"]},
        "rows": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}},
    },
    "required": ["id"],
}


def changed(change: Change) -> Schema:
    schema = copy.deepcopy(EVENT)
    change(schema)
    return schema


def _set(path: str, value: Any) -> Change:
    def change(schema: Schema) -> None:
        *parents, last = path.split("/")
        for name in parents:
            schema = schema[name]
        schema[last] = value

    return change


def _drop(path: str) -> Change:
    def change(schema: Schema) -> None:
        *parents, last = path.split("/")
        for name in parents:
            schema = schema[name]
        del schema[last]

    return change


HARMLESS_FOR_WRITERS = {
    "an optional field": _set("properties/more", {"type": "string"}),
    "a field no longer required": _set("required", []),
    "a wider type": _set("properties/id", {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    "another value": _set("properties/kind", {"enum": ["a", "b", "c"]}),
    "a wider bound": _set("properties/id/maxLength", 20),
    "a bound that went": _drop("properties/size/minimum"),
    "words": _set("properties/id/description", "the name"),
}
BREAKS_WRITERS = {
    "a field removed": _drop("properties/size"),
    "a field removed inside": _drop("properties/rows/items/properties/x"),
    "made required": _set("required", ["id", "size"]),
    "a narrower type": _set("properties/size", {"type": "integer"}),
    "null no more": _set("properties/note", {"type": "string"}),
    "another type": _set("properties/id", {"type": "integer"}),
    "a value less": _set("properties/kind", {"enum": ["a"]}),
    "a tighter bound": _set("properties/id/maxLength", 5),
    "a new bound": _set("properties/size/maximum", 5),
    "a pattern": _set("properties/id/pattern", "^a"),
    "one of two required": _set("anyOf", [{"required": ["size"]}, {"required": ["note"]}]),
}
HARMLESS_FOR_READERS = {
    "a new field": _set("properties/more", {"type": "string"}),
    "always there now": _set("required", ["id", "size"]),
    "a narrower type": _set("properties/size", {"type": "integer", "minimum": 0}),
    "never null": _set("properties/note", {"type": "string"}),
}
BREAKS_READERS = {
    "a field removed": _drop("properties/size"),
    "a field removed inside": _drop("properties/rows/items/properties/x"),
    "sometimes missing": _set("required", []),
    "a wider type": _set("properties/id", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "another type": _set("properties/rows/items/properties/x", {"type": "string"}),
    "another value": _set("properties/kind", {"enum": ["a", "b", "c"]}),
}


@pytest.mark.parametrize("change", HARMLESS_FOR_WRITERS.values(), ids=HARMLESS_FOR_WRITERS)
def test_writers_are_not_harmed(change: Change) -> None:
    assert broken_for_writers(EVENT, changed(change)) == []


@pytest.mark.parametrize("change", BREAKS_WRITERS.values(), ids=BREAKS_WRITERS)
def test_writers_are_protected(change: Change) -> None:
    assert len(broken_for_writers(EVENT, changed(change))) == 1


@pytest.mark.parametrize("change", HARMLESS_FOR_READERS.values(), ids=HARMLESS_FOR_READERS)
def test_readers_are_not_harmed(change: Change) -> None:
    assert broken_for_readers(EVENT, changed(change)) == []


@pytest.mark.parametrize("change", BREAKS_READERS.values(), ids=BREAKS_READERS)
def test_readers_are_protected(change: Change) -> None:
    assert len(broken_for_readers(EVENT, changed(change))) >= 1


def test_nothing_breaks_what_was_agreed_on() -> None:
    assert breaking_changes(read_baseline(), closed_schemas()) == []


def test_what_was_agreed_on_is_what_there_is() -> None:
    differs = additions(read_baseline(), closed_schemas())
    assert differs == [], f"{', '.join(differs)}: run `python -m tools.compatibility --accept`"


def test_a_schema_that_went_breaks() -> None:
    old = {"events/a": EVENT, "results/b": EVENT}
    assert breaking_changes(old, {"events/a": EVENT}) == ["results/b: removed"]


def test_jobs_are_read_and_written() -> None:
    wider = changed(_set("properties/kind", {"enum": ["a", "b", "c"]}))
    narrower = changed(_set("properties/kind", {"enum": ["a"]}))
    for new in (wider, narrower):
        assert len(breaking_changes({"job": EVENT}, {"job": new})) == 1


def test_the_baseline_is_closed_and_survives_a_file(tmp_path: Any) -> None:
    schemas = closed_schemas()
    write_baseline(schemas, tmp_path)
    assert read_baseline(tmp_path) == schemas
    assert schemas["events/user.acted"]["additionalProperties"] is False
