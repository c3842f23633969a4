"""settings.md: every environment variable, its default and its meaning."""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any, Literal

import msgspec
from pydantic import SecretStr
from pydantic.fields import FieldInfo

import streams.settings
from handlers import config as handler_config
from handlers.config import HandlerConfig
from handlers.context import MediaPolicy
from streams.doctor.variables import OTHERS
from streams.doctor.variables import known_variables as _read_here
from streams.settings import KafkaSecurity, Settings, variable_of
from tools.reference.markdown import code, page, table

_INTRO = """
Every setting is an environment variable, of every role unless it says otherwise. A wrong value stops the
start with the variable's name, what is wrong and what is allowed. `precompute config show` prints those in
force. Lists are separated by commas, folders by colons; times are seconds.
"""
_HANDLERS = """
Read by workers, for the built-in handlers. How they are used: [the handlers](handlers.md).
"""


def settings_page() -> str:
    parts = [_table(title, names) for title, names in _groups().items()]
    return page(
        "Settings",
        "streams/settings.py",
        _INTRO,
        *parts,
        _security(),
        _handlers(),
        _others(),
    )


def known_variables() -> frozenset[str]:
    """Every variable the project reads, those of others' names among them."""
    return _read_here() | {row[0] for row in _handler_rows()}


def _groups() -> dict[str, list[str]]:
    """The settings by the heading comments of their class, in its order."""
    groups: dict[str, list[str]] = {}
    title = "Other"
    for line in inspect.getsource(streams.settings.Settings).splitlines():
        heading = re.fullmatch(r"    # ([A-Z][\w ]*)", line)
        name = re.match(r"    (\w+): ", line)
        if heading:
            title = heading[1]
        elif name and name[1] in Settings.model_fields:
            groups.setdefault(title, []).append(name[1])
    return groups


def _table(title: str, names: list[str]) -> str:
    rows = [
        [code(variable_of(name)), code(_default(field)), _allowed(field), field.description or ""]
        for name, field in ((name, Settings.model_fields[name]) for name in names)
    ]
    return f"## {title}\n\n" + table(["variable", "default", "allowed", "meaning"], rows)


def _security() -> str:
    rows = [
        [code(f"PRECOMPUTE_KAFKA_{name.upper()}"), code(_default(field)), _allowed(field)]
        for name, field in KafkaSecurity.model_fields.items()
    ]
    text = "## Kafka security\n\nOne set feeds both Kafka clients; half of a set is refused.\n\n"
    return text + table(["variable", "default", "allowed"], rows)


def _handlers() -> str:
    columns = ["variable", "default", "type", "meaning"]
    rows = [[code(name), code(default), kind, meaning] for name, default, kind, meaning in _handler_rows()]
    return f"## Handlers\n\n{_HANDLERS.strip()}\n\n" + table(columns, rows)


def _handler_rows() -> list[tuple[str, str, str, str]]:
    """What handlers read themselves: their configuration, and the limits of media."""
    foreign: dict[str, str] = handler_config._FOREIGN  # noqa: SLF001 (the names are told nowhere else)
    prefix = handler_config.PREFIX
    known = {variable_of(name) for name in Settings.model_fields}
    own = _struct_rows(HandlerConfig, {name: foreign.get(name, "") for name in foreign}, prefix)
    media = _struct_rows(MediaPolicy, {}, f"{prefix}MEDIA_")
    return own + [row for row in media if row[0] not in known]


def _struct_rows(
    kind: type[msgspec.Struct], names: dict[str, str], prefix: str
) -> list[tuple[str, str, str, str]]:
    said = _comments(kind)
    return [
        (
            names.get(one.name, prefix + one.name.upper()),
            _shown(one.default),
            _type(one.type),
            said.get(one.name, ""),
        )
        for one in msgspec.structs.fields(kind)
    ]


def _comments(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The `#:` comments of a struct's fields."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    for line in inspect.getsource(kind).splitlines():
        text = line.strip()
        if text.startswith("#:"):
            waiting.append(text[2:].strip())
        else:
            name = re.match(r"(\w+): ", text)
            if name and waiting:
                found[name[1]] = " ".join(waiting)
            waiting = []
    return found


def _others() -> str:
    rows = [[code(name), meaning] for name, (_, meaning) in OTHERS.items()]
    return "## Commands and clients\n\n" + table(["variable", "meaning"], rows)


def _default(field: FieldInfo) -> str:
    value = field.default
    return _shown(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _shown(value: Any) -> str:
    if value is None or value in ((), {}) or value is msgspec.NODEFAULT:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _allowed(field: FieldInfo) -> str:
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(code(one) for one in choices)
    bounds = [_bound(one) for one in field.metadata]
    return ", ".join([_type(field.annotation), *(one for one in bounds if one)])


def _bound(meta: Any) -> str:
    for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"), ("min_length", "length ≥")):
        if hasattr(meta, name):
            return f"{sign} {getattr(meta, name)}"
    return ""


def _choices(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    return tuple(choice for one in typing.get_args(annotation) for choice in _choices(one))


def _type(annotation: Any) -> str:
    names = {"str": "text", "SecretStr": "text", "Path": "path", "float": "number", "int": "whole number"}
    names |= {"bool": "true or false"}
    origin = typing.get_origin(annotation)
    inner = [one for one in typing.get_args(annotation) if one not in (type(None), Ellipsis)]
    if origin is dict:
        return "task=number list"
    if origin is tuple:
        return f"list of {_type(inner[0])}s"
    if origin is not None:
        return _type(inner[0])
    return names.get(getattr(annotation, "__name__", ""), "text")
