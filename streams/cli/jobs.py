"""`precompute jobs list|show|retry|cancel`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from streams.cli.api_client import call, require
from streams.cli.output import JsonFlag, print_json, print_table, say

app = typer.Typer(help="What became of jobs.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="ID")]


@app.command("list")
def list_jobs(
    status: Annotated[list[str] | None, typer.Option(help="queued, processing, completed, failed, …")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only these task types.")] = None,
    user: Annotated[str, typer.Option(help="Only this user's.")] = "",
    why: Annotated[str, typer.Option(help="Only with this cause: upload, predicted, demand, …")] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    json: JsonFlag = False,
) -> None:
    """The newest jobs."""
    params: dict[str, Any] = {"limit": limit, "status": status or [], "task": task or [], "user": user}
    if why:
        params["why"] = why
    body = require(*call("GET", "/jobs", params=params))
    if json:
        print_json(body)
        return
    rows = [
        [job["id"], job["status"], job["reason"] or "", job["priority"], job["why"], job["key"], job["at"]]
        for job in body["jobs"]
    ]
    print_table(["ID", "STATUS", "REASON", "PRIORITY", "WHY", "KEY", "AT"], rows)


@app.command()
def show(job_id: JobId, *, json: JsonFlag = False) -> None:
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


@app.command()
def retry(job_id: JobId, *, json: JsonFlag = False) -> None:
    """Compute an ended job's answer again, as a new job at priority 9."""
    body = require(*call("POST", f"/jobs/{job_id}/retry"))
    say(f"job {body['job_id']}", body, json=json)


@app.command()
def cancel(job_id: JobId, *, json: JsonFlag = False) -> None:
    """Do not run a job, or stop it where it runs."""
    body = require(*call("POST", f"/jobs/{job_id}/cancel"))
    running = body["status"] != "cancelled"
    say("its worker stops it within seconds" if running else "cancelled", body, json=json)
