"""The JSON Schemas of events, results and jobs, and the page that lists them."""

from __future__ import annotations

import json
from typing import Any

from handlers.registry import Registry
from handlers.schemas import result_schemas
from streams.contracts.events import EventType
from streams.contracts.schemas import event_schemas, job_schema, plain_schema, structured_schema
from tools.reference.markdown import page, table

_INTRO = """
JSON Schemas (2020-12) of what publishers send and readers get, made from the types that decode and encode it.
A running API serves those of events and results under `/schemas/events/` and `/schemas/results/`, its own
task types included. `closed/` holds the same as they were last agreed on, without room for further fields:
`python -m tools.compatibility` compares with them and fails on a breaking change. The topics are described by
[an AsyncAPI document](asyncapi.yaml).
"""

Schemas = dict[str, dict[str, Any]]


def schema_files(registry: Registry) -> dict[str, str]:
    """Path below docs/reference/ to text."""
    return {f"schemas/{name}.json": encoded(schema) for name, schema in all_schemas(registry).items()}


def all_schemas(registry: Registry) -> Schemas:
    """Every published schema, by its path without the ending."""
    # Tests of one process may have declared event types of their own.
    kinds = tuple(EventType)
    events = {f"events/{name}": schema for name, schema in event_schemas(kinds).items()}
    results = {f"results/{name}": schema for name, schema in result_schemas(registry).items()}
    wholes = {
        "events/plain": plain_schema(kinds),
        "events/structured": structured_schema(kinds),
        "job": job_schema(),
    }
    return {name: _even(schema) for name, schema in {**events, **wholes, **results}.items()}


def _even(part: Any) -> Any:
    """Whole numbers without a point: `typing` keeps whichever of 0 and 0.0 an annotation first had."""
    if isinstance(part, dict):
        return {key: _even(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_even(value) for value in part]
    return int(part) if isinstance(part, float) and part.is_integer() else part


def encoded(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def schemas_page(registry: Registry) -> str:
    rows = [
        [f"[{name}](schemas/{name}.json)", schema.get("title", "")]
        for name, schema in all_schemas(registry).items()
    ]
    return page("Schemas", "streams/contracts/ and handlers/", _INTRO, table(["schema", "of"], rows))
