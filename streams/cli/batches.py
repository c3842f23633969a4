"""`precompute batch FILE|-`: many answers, computed at leisure."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.cli.api_client import call, require
from streams.cli.output import JsonFlag, print_json

LOOK_EVERY_S = 1.0


def register(app: typer.Typer) -> None:
    app.command()(batch)


def batch(
    file: Annotated[str, typer.Argument(help="NDJSON, a row a line; - reads standard input.")],
    *,
    dry_run: Annotated[bool, typer.Option(help="Check the rows and estimate the cost.")] = False,
    off_peak: Annotated[bool, typer.Option(help="Wait for the window PRECOMPUTE_OFF_PEAK.")] = False,
    follow: Annotated[bool, typer.Option(help="Wait until every row has its job.")] = False,
    json: JsonFlag = False,
) -> None:
    """Have answers computed at priority 5: rows `{"key": ...}` or `{"task": ..., "id": ...}`."""
    data = sys.stdin.buffer.read() if file == "-" else _read(file)
    params = {"dry_run": dry_run, "off_peak": off_peak}
    headers = {"Content-Type": "application/x-ndjson"}
    body = require(*call("POST", "/batch", params=params, content=data, headers=headers, timeout_s=120))
    if follow and not dry_run:
        body["batch"] = _follow(body["batch"])
    if json:
        print_json(body)
        return
    cost = body["estimate"]
    wall = f", about {cost['wall_s']} s on {cost['slots']} slots" if cost["wall_s"] is not None else ""
    typer.echo(f"{cost['rows']} rows, {cost['compute_s']} computing seconds{wall}")
    if cost["never_computed_yet"]:
        typer.echo(f"not in the estimate, never computed yet: {', '.join(cost['never_computed_yet'])}")
    if not dry_run:
        typer.echo(f"batch {body['batch']['id']}")


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as exc:
        raise typer.BadParameter(f"{file}: {exc.strerror}", param_hint="FILE") from exc


def _follow(found: dict[str, Any]) -> dict[str, Any]:
    while found["state"] == "open":
        typer.echo(f"{found['emitted']} of {found['rows']}", err=True)
        time.sleep(LOOK_EVERY_S)
        found = require(*call("GET", f"/batch/{found['id']}"))["batch"]
    return found
