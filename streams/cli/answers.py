"""`precompute get|invalidate|refresh`: what an operator asks of answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from streams.cli.api_client import call, require
from streams.cli.output import JsonFlag, console, print_json, print_table, say


def register(app: typer.Typer) -> None:
    app.command()(get)
    app.command()(invalidate)
    app.command()(refresh)


def get(
    key: Annotated[str, typer.Argument(help="For example ctr_prediction:video:v42.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for a missing answer, computing it.")] = 0.0,
    *,
    json: JsonFlag = False,
) -> None:
    """Read an answer."""
    headers = {"Prefer": f"wait={int(wait)}"} if wait else {}
    status, body = call("GET", f"/cache/{key}", headers=headers, timeout_s=wait + 10)
    require(status, body)
    if json or status == 202:
        print_json(body)
    else:
        facts = {name: body[name] for name in ("key", "state", "age_s", "why", "job_id", "compute_ms")}
        print_table(list(facts), [list(facts.values())])
        console.print_json(data=body["result"])
    if status == 202:
        raise typer.Exit(1)


def invalidate(
    pattern: Annotated[str, typer.Argument(help="ctr_prediction:*, *:video:v42, an exact key, or *.")],
    *,
    confirm: Annotated[bool, typer.Option(help="Needed for a bare *.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Count what would go, change nothing.")] = False,
    json: JsonFlag = False,
) -> None:
    """Invalidate answers."""
    params = {"pattern": pattern, "confirm": confirm, "dry_run": dry_run}
    body = require(*call("DELETE", "/cache", params=params, timeout_s=60))
    text = f"{body['would_invalidate']} would go" if dry_run else f"{body['invalidated']} invalidated"
    say(text, body, json=json)


def refresh(
    task: Annotated[str, typer.Argument(help="A task type.")],
    user: Annotated[str | None, typer.Option(help="Only answers of this user's.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only answers of this campaign's.")] = None,
    expiring: Annotated[
        float | None, typer.Option(help="Only those that expire within so many seconds.")
    ] = None,
    *,
    json: JsonFlag = False,
) -> None:
    """Compute a task's answers again, at low priority."""
    filters: dict[str, Any] = {"user_id": user, "campaign_id": campaign, "expiring_within_s": expiring}
    chosen = {name: value for name, value in filters.items() if value is not None}
    body = require(*call("POST", f"/refresh/{task}", json={"filters": chosen}, timeout_s=60))
    say(f"{body['tasks_queued']} queued", body, json=json)
