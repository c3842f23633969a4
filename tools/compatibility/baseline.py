"""The schemas as they were last agreed on, and what has changed since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from handlers.registry import load_handlers
from streams.contracts.schemas import inlined
from tools.compatibility.comparison import broken_for_readers, broken_for_writers
from tools.reference.schemas import all_schemas, encoded

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas" / "closed"

#: `plain` and `structured` are made of the same parts as the events' data, and nothing else.
_WHOLES = ("events/plain", "events/structured")

Schemas = dict[str, dict[str, Any]]


def closed_schemas() -> Schemas:
    """The schemas of now: references replaced, and no room for fields that nobody named."""
    found = all_schemas(load_handlers(environ={}))
    return {name: _closed(inlined(schema)) for name, schema in found.items() if name not in _WHOLES}


def read_baseline(folder: Path = FOLDER) -> Schemas:
    return {
        str(path.relative_to(folder).with_suffix("")): json.loads(path.read_text())
        for path in sorted(folder.rglob("*.json"))
    }


def breaking_changes(old: Schemas, new: Schemas) -> list[str]:
    """One line for each change that breaks somebody."""
    lines = [f"{name}: removed" for name in old if name not in new]
    for name in old.keys() & new.keys():
        lines += [f"{name} {line}" for line in _broken(name, old[name], new[name])]
    return sorted(lines)


def additions(old: Schemas, new: Schemas) -> list[str]:
    """Names of schemas that are new or differ."""
    return sorted(name for name in new if old.get(name) != new[name])


def write_baseline(schemas: Schemas, folder: Path = FOLDER) -> None:
    for name, schema in schemas.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(encoded(schema))


def _broken(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Events come from others, results go to others, jobs of one version meet workers of the next."""
    lines = []
    if not name.startswith("results/"):
        lines += broken_for_writers(old, new)
    if not name.startswith("events/"):
        lines += broken_for_readers(old, new)
    return list(dict.fromkeys(lines))


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(value) for key, value in part.items()}
    if isinstance(part.get("properties"), dict) and "additionalProperties" not in part:
        closed["additionalProperties"] = False
    return closed
