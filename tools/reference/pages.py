"""Every generated file of docs/reference/."""

from __future__ import annotations

from pathlib import Path

from handlers.registry import load_handlers
from tools.reference.asyncapi import asyncapi_file
from tools.reference.commands import commands_page
from tools.reference.http import http_page
from tools.reference.metrics import metrics_page
from tools.reference.permissions import permissions_page
from tools.reference.schemas import schema_files, schemas_page
from tools.reference.settings import settings_page
from tools.reference.tasks import tasks_page
from tools.reference.topics import topics_page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def generated() -> dict[str, str]:
    """Path below docs/reference/ to text."""
    registry = load_handlers(environ={})
    return {
        "settings.md": settings_page(),
        "metrics.md": metrics_page(),
        "cli.md": commands_page(),
        "topics.md": topics_page(),
        "permissions.md": permissions_page(),
        "tasks.md": tasks_page(registry),
        "http.md": http_page(),
        "schemas.md": schemas_page(registry),
        "asyncapi.yaml": asyncapi_file(),
        **schema_files(registry),
    }


def stale(folder: Path = FOLDER) -> list[str]:
    """Generated files that are missing or differ from what would be generated now."""
    return [
        name
        for name, text in generated().items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
    ]


def write(folder: Path = FOLDER) -> list[str]:
    """Writes what is stale and returns its names."""
    changed = stale(folder)
    files = generated()
    for name in changed:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name])
    return changed
