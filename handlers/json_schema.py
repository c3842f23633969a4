"""The part of JSON Schema that checks an HTTP service's answer: types, required fields, ranges, lists."""

from __future__ import annotations

from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def problem_with(value: Any, schema: dict[str, Any], path: str = "$") -> str | None:
    """What is wrong with a value, and where; None where it keeps to the schema."""
    return (
        _wrong_type(value, schema, path)
        or _wrong_value(value, schema, path)
        or _wrong_fields(value, schema, path)
        or _wrong_items(value, schema, path)
    )


def _wrong_type(value: Any, schema: dict[str, Any], path: str) -> str | None:
    said = schema.get("type")
    if said is None:
        return None
    names = said if isinstance(said, list) else [said]
    return None if any(_is(value, name) for name in names) else f"{path} is not {' or '.join(names)}"


def _is(value: Any, name: str) -> bool:
    #: Python's bool is an int, JSON's is not a number.
    if isinstance(value, bool) and name in ("number", "integer"):
        return False
    return isinstance(value, _TYPES.get(name, ()))


def _wrong_value(value: Any, schema: dict[str, Any], path: str) -> str | None:
    if "enum" in schema and value not in schema["enum"]:
        return f"{path} is none of {schema['enum']}"
    if not _is(value, "number"):
        return None
    if value < schema.get("minimum", value) or value > schema.get("maximum", value):
        return f"{path} is out of range"
    return None


def _wrong_fields(value: Any, schema: dict[str, Any], path: str) -> str | None:
    if not isinstance(value, dict):
        return None
    for name in schema.get("required", ()):
        if name not in value:
            return f"{path}.{name} is missing"
    for name, inner in schema.get("properties", {}).items():
        if name in value and (problem := problem_with(value[name], inner, f"{path}.{name}")):
            return problem
    return None


def _wrong_items(value: Any, schema: dict[str, Any], path: str) -> str | None:
    if not isinstance(value, list) or "items" not in schema:
        return None
    problems = (problem_with(one, schema["items"], f"{path}[{i}]") for i, one in enumerate(value))
    return next((problem for problem in problems if problem), None)
