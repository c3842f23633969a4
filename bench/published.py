"""Figures that another benchmark wrote into `docs/benchmarks/`."""

from __future__ import annotations

import json
from typing import Any

from bench.report import FOLDER


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a report, or none where it was never written."""
    path = FOLDER / f"{name}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text()).get("rows", []) if path.exists() else []
    return found


def figure(name: str, column: str, **where: str) -> float:
    """The figure of the report's first row whose values begin so; `LookupError` where there is none."""
    for row in rows(name):
        if column in row and all(str(row.get(key, "")).startswith(value) for key, value in where.items()):
            return float(row[column])
    raise LookupError(f"docs/benchmarks/{name}.json has no {column} where {where}; run that benchmark first")
