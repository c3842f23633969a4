"""JSON Schemas of what handlers read and give, as they are published."""

from __future__ import annotations

from typing import Any

import msgspec

from handlers.contract import Handler
from handlers.registry import Registry

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def input_schema(one: Handler) -> dict[str, Any]:
    """The schema of a handler's input: the data of the event that asks for it."""
    return _titled(f"{one.task} input", one.input_type)


def result_schema(one: Handler) -> dict[str, Any]:
    """The schema of `result` in a task's answer."""
    return _titled(f"{one.task} result", one.result_type)


def result_schemas(registry: Registry) -> dict[str, dict[str, Any]]:
    """The result schemas of all handlers, by task."""
    return {task: result_schema(one) for task, one in registry.items()}


def _titled(title: str, kind: Any) -> dict[str, Any]:
    return {"$schema": _DIALECT, "title": title} | msgspec.json.schema(kind)
