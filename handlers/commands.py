"""`precompute handlers`: which there are, and running one on a file without any broker."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from handlers.config import load_handler_config
from handlers.context import MediaPolicy
from handlers.contract import Handler
from handlers.local_run import LocalRun, local_context
from handlers.registry import Registry, load_handlers
from streams.contracts.errors import ConfigurationError, PrecomputeError
from streams.contracts.outcomes import Reject
from streams.contracts.tasks import Entity

app = typer.Typer(help="The handlers: which there are, and running one by hand.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON on standard output")]
Modules = Annotated[
    str, typer.Option(envvar="PRECOMPUTE_HANDLER_MODULES", help="modules of your own, separated by commas")
]


@app.command("list")
def list_handlers(*, modules: Modules = "", as_json: Json = False) -> None:
    """Every task type, what computes it, and what is missing for it."""
    registry = _load(modules)
    rows = [_row(registry, task) for task in registry.catalogue]
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['task']:22} {row['entity']:9} {row['kind']:4} v{row['version']:10} {row['state']}")


@app.command("manifest")
def show_manifest(*, modules: Modules = "") -> None:
    """What the handlers declare, for a role that has none of their libraries."""
    typer.echo(_load(modules).manifest.encode().decode())


@app.command("run")
def run_task(
    task: Annotated[str, typer.Argument(help="a task type")],
    *,
    file: Annotated[Path, typer.Option("--input", help="a video, or a JSON file with the event's data")],
    artifacts: Annotated[Path, typer.Option(help="where thumbnails are written")] = Path(
        "precompute-artifacts"
    ),
    modules: Modules = "",
    as_json: Json = False,
) -> None:
    """Runs one handler, and those it needs, in this process; a reason on standard error where it has none."""
    registry = _load(modules)
    if task not in registry.catalogue:
        _stop(f"unknown task type {task}; known are {', '.join(registry.catalogue)}", code=2)
    if not file.is_file():
        _stop(f"{file}: no such file", code=2)
    found = registry.catalogue[task]
    payload = _payload(file, is_video=found.entity == Entity.VIDEO)
    try:
        result = _run(registry, task, payload, file, artifacts)
    except PrecomputeError as exc:
        _stop(_failure(exc))
    if as_json:
        typer.echo(result.decode())
    else:
        typer.echo(json.dumps(json.loads(result), indent=2, ensure_ascii=False))


def _run(registry: Registry, task: str, payload: bytes, file: Path, artifacts: Path) -> bytes:
    with tempfile.TemporaryDirectory(prefix="precompute-") as scratch:
        context = local_context(
            _entity_id(payload, file),
            media=MediaPolicy(roots=(str(file.resolve().parent),), scratch_dir=scratch),
            artifact_dir=str(artifacts),
            config=load_handler_config(os.environ),
        )
        return asyncio.run(LocalRun(registry, context).run(task, payload))


def _load(modules: str) -> Registry:
    # Beside installed modules, one in the working folder may be named: that is where it is being written.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds strings
    try:
        return load_handlers([name.strip() for name in modules.split(",") if name.strip()])
    except ConfigurationError as exc:
        _stop(str(exc), code=2)
        raise


def _row(registry: Registry, task: str) -> dict[str, Any]:
    spec = registry.catalogue[task]
    found = registry.get(task)
    row = {"task": task, "entity": spec.entity, "ttl_s": spec.ttl_s, "timeout_s": spec.timeout_s}
    if found is None:
        return row | {"kind": "-", "version": "-", "module": None, "state": "no handler"}
    return row | {
        "kind": found.kind,
        "version": found.version,
        "module": found.module,
        "needs": list(found.needs),
        "summary": found.summary,
        "state": _state(found),
    }


def _state(found: Handler) -> str:
    lacking = found.missing_modules()
    if lacking:
        return f"needs {', '.join(lacking)}: pip install 'precompute[{found.extra}]'"
    return "ready"


def _payload(file: Path, *, is_video: bool) -> bytes:
    """A JSON file is the payload; any other is the video itself."""
    if file.suffix == ".json" or not is_video:
        return file.read_bytes()
    return msgspec.json.encode({"uri": str(file.resolve())})


def _entity_id(payload: bytes, file: Path) -> str:
    try:
        data = json.loads(payload)
    except ValueError:
        return "local"
    named = (
        [data.get(name) for name in ("video_id", "campaign_id", "user_id")] if isinstance(data, dict) else []
    )
    return next((str(one) for one in named if one), file.stem)


def _failure(exc: PrecomputeError) -> str:
    return f"{exc.reason}: {exc}" if isinstance(exc, Reject) else str(exc)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def _stop(message: str, code: int = 1) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(code)
