"""`precompute get|invalidate|refresh` and `jobs list|show`: what an operator asks the API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from streams.cli.api_client import call, require
from streams.cli.output import JsonFlag, console, print_json, print_table

jobs = typer.Typer(help="What became of jobs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command()(get)
    app.command()(invalidate)
    app.command()(refresh)
    app.add_typer(jobs, name="jobs")


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
    json: JsonFlag = False,
) -> None:
    """Invalidate answers."""
    status, body = call("DELETE", "/cache", params={"pattern": pattern, "confirm": confirm}, timeout_s=60)
    require(status, body)
    _say(f"{body.get('invalidated')} invalidated", body, json=json)


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
    status, body = call("POST", f"/refresh/{task}", json={"filters": chosen}, timeout_s=60)
    require(status, body)
    _say(f"{body.get('tasks_queued')} queued", body, json=json)


@jobs.command("list")
def list_jobs(
    status: Annotated[list[str] | None, typer.Option(help="queued, processing, completed, failed, …")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only these task types.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    *,
    json: JsonFlag = False,
) -> None:
    """The newest jobs."""
    params: dict[str, Any] = {"limit": limit, "status": status or [], "task": task or []}
    body = require(*call("GET", "/jobs", params=params))
    if json:
        print_json(body)
        return
    rows = [
        [job["id"], job["status"], job["reason"] or "", job["priority"], job["why"], job["key"], job["at"]]
        for job in body["jobs"]
    ]
    print_table(["ID", "STATUS", "REASON", "PRIORITY", "WHY", "KEY", "AT"], rows)


@jobs.command()
def show(job_id: Annotated[str, typer.Argument()], *, json: JsonFlag = False) -> None:
    """A job and its timeline."""
    body = require(*call("GET", f"/jobs/{job_id}"))
    if json:
        print_json(body)
        return
    job = body["job"]
    print_table(
        ["KEY", "PRIORITY", "WHY", "USER"], [[job["key"], job["priority"], job["why"], job["user_id"]]]
    )
    rows = [[e["at"], e["status"], e["attempt"], e["reason"], e["error"]] for e in job["timeline"]]
    print_table(["AT", "STATUS", "ATTEMPT", "REASON", "ERROR"], rows)


def _say(text: str, body: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(body)
    else:
        typer.echo(text)
