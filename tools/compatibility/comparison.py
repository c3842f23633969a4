"""What a new schema takes away from those who keep to the old one.

Two directions. Of what others write and we read (events, jobs): the new schema must take every value that the
old one took. Of what we write and others read (results, jobs): the new one must give nothing that the old one
ruled out, and everything that it promised. Fields may be added to either: readers ignore what they do not
know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streams.contracts.schemas import inlined

Schema = dict[str, Any]

#: Bounds by whether more of it takes more values.
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")


def broken_for_writers(old: Schema, new: Schema) -> list[str]:
    """What somebody who writes to the old schema can no longer send, by path."""
    return list(_narrowed(inlined(old), inlined(new), "$"))


def broken_for_readers(old: Schema, new: Schema) -> list[str]:
    """What somebody who reads by the old schema can no longer rely on, by path."""
    before, after = inlined(old), inlined(new)
    return [*_removed(before, after, "$"), *_narrowed(after, before, "$", fields_may_go=True)]


def _narrowed(old: Any, new: Any, path: str, *, fields_may_go: bool = False) -> Iterator[str]:
    """Why values of `old` are no values of `new`.

    `fields_may_go`: a field that only `old` has is no difference; whoever keeps to `new` does not look at it.
    """
    for one in _choices(old):
        problems = [list(_differences(one, other, path, fields_may_go)) for other in _choices(new)]
        if all(problems):
            yield from min(problems, key=len, default=[f"{path}: takes nothing any more"])


def _differences(old: Schema, new: Schema, path: str, fields_may_go: bool) -> Iterator[str]:  # noqa: FBT001
    if not _types(old) <= _types(new):
        yield f"{path}: was {_named(old)}, is {_named(new)}"
        return
    yield from _values(old, new, path)
    yield from _bounds(old, new, path)
    yield from _fields(old, new, path, fields_may_go)
    for name, before, after in _nested(old, new):
        yield from _narrowed(before, after, f"{path}{name}", fields_may_go=fields_may_go)


def _nested(old: Schema, new: Schema) -> Iterator[tuple[str, Any, Any]]:
    """The schemas of what stands inside, unless it is a named field: items, places of a tuple, any field."""
    if "items" in new:
        yield "[]", old.get("items", {}), new["items"]
    places = old.get("prefixItems", [])
    for number, after in enumerate(new.get("prefixItems", [])):
        yield f"[{number}]", places[number] if number < len(places) else old.get("items", {}), after
    if isinstance(new.get("additionalProperties"), dict):
        yield ".*", old.get("additionalProperties", {}), new["additionalProperties"]


def _choices(schema: Any) -> list[Schema]:
    """The alternatives of a union; a list of required fields is none. `true` is anything, `false` nothing."""
    if isinstance(schema, bool):
        return [{}] if schema else []
    options = schema.get("anyOf", [])
    if not options or any(set(one) == {"required"} for one in options):
        return [schema]
    return [choice for one in options for choice in _choices(one)]


def _types(schema: Schema) -> set[str]:
    said = schema.get("type")
    if said is None:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        names = {_type_of(value) for value in values} if values is not None else _ANY
    else:
        names = set(said) if isinstance(said, list) else {said}
    return names | {"integer"} if "number" in names else names


_ANY = {"null", "boolean", "object", "array", "number", "integer", "string"}


def _type_of(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _named(schema: Schema) -> str:
    return " or ".join(sorted(_types(schema)))


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    allowed = _listed(new)
    if allowed is None:
        return
    before = _listed(old)
    if before is None:
        yield f"{path}: took any value, takes only {', '.join(map(str, allowed))}"
        return
    gone = [str(value) for value in before if value not in allowed]
    if gone:
        yield f"{path}: no longer takes {', '.join(gone)}"


def _listed(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for name in (*_UPPER, *_LOWER):
        if name not in new:
            continue
        sign = 1 if name in _UPPER else -1
        if name not in old or sign * old[name] > sign * new[name]:
            yield f"{path}: {name} was {old.get(name, 'open')}, is {new[name]}"
    if "pattern" in new and old.get("pattern") != new["pattern"]:
        yield f"{path}: pattern was {old.get('pattern', 'open')}, is {new['pattern']}"


def _fields(old: Schema, new: Schema, path: str, fields_may_go: bool) -> Iterator[str]:  # noqa: FBT001
    for name in new.get("required", []):
        if name not in old.get("required", []):
            yield f"{path}.{name}: was optional, is required"
    yield from _any_of_required(old, new, path)
    known = new.get("properties", {})
    for name, inner in old.get("properties", {}).items():
        if name in known:
            yield from _narrowed(inner, known[name], f"{path}.{name}", fields_may_go=fields_may_go)
        elif not fields_may_go:
            yield f"{path}.{name}: removed"


def _any_of_required(old: Schema, new: Schema, path: str) -> Iterator[str]:
    """Of the fields one of which there must be: none may leave the list, and no list may appear."""
    wanted = _required_choices(new)
    if wanted and not _required_choices(old):
        yield f"{path}: one of {', '.join(sorted(wanted))} is required now"
    gone = _required_choices(old) - wanted if wanted else set()
    for name in sorted(gone):
        yield f"{path}.{name}: alone is not enough any more"


def _required_choices(schema: Schema) -> set[str]:
    return {name for one in schema.get("anyOf", []) if set(one) == {"required"} for name in one["required"]}


def _removed(old: Any, new: Any, path: str) -> Iterator[str]:
    """Fields that readers may look at and that are gone, at any depth."""
    after = {name: inner for one in _choices(new) for name, inner in one.get("properties", {}).items()}
    for one in _choices(old):
        for name, inner in one.get("properties", {}).items():
            if name not in after:
                yield f"{path}.{name}: removed"
            else:
                yield from _removed(inner, after[name], f"{path}.{name}")
        if "items" in one:
            items: Any = next((other["items"] for other in _choices(new) if "items" in other), {})
            yield from _removed(one["items"], items, f"{path}[]")
