"""`precompute dlq list|replay|drop`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from streams.cli.api_client import call, require
from streams.cli.output import JsonFlag, print_json, print_table, say

app = typer.Typer(help="Dead letters: what could not be worked on.", no_args_is_help=True)

Source = Annotated[str, typer.Option(help="jobs or events.")]
Reason = Annotated[str, typer.Option(help="Only those with this reason.")]
Places = Annotated[list[str] | None, typer.Argument(metavar="PLACE", help="As `dlq list` names them.")]
Task = Annotated[str, typer.Option(help="Only those of this task type.")]


@app.command("list")
def list_letters(
    source: Source = "jobs",
    reason: Reason = "",
    *,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    payload: Annotated[bool, typer.Option(help="Show the original bytes too.")] = False,
    dropped: Annotated[bool, typer.Option(help="Show those that were dropped too.")] = False,
    json: JsonFlag = False,
) -> None:
    """The newest dead letters."""
    params = {"source": source, "reason": reason, "limit": limit, "payload": payload, "dropped": dropped}
    body = require(*call("GET", "/dlq", params=params, timeout_s=30))
    if json:
        print_json(body)
        return
    rows = [
        [one["at"], one["place"], one["reason"], one["attempts"], one["key"], one["error"][:80]]
        for one in body["letters"]
    ]
    print_table(["AT", "PLACE", "REASON", "ATTEMPTS", "KEY", "ERROR"], rows)
    if payload:
        for one in body["letters"]:
            typer.echo(f"{one['place']}: {one['payload']}")


@app.command()
def replay(
    letters: Places = None,
    source: Source = "jobs",
    reason: Reason = "",
    task: Task = "",
    *,
    dry_run: Annotated[bool, typer.Option(help="Say which, send nothing.")] = False,
    json: JsonFlag = False,
) -> None:
    """Send dead letters again: those named, or all of a reason or task that were not replayed yet."""
    body = _post("replay", letters, source, reason, task, dry_run=dry_run)
    count = len(body["letters"]) if dry_run else body["replayed"]
    say(f"{count} {'would be replayed' if dry_run else 'replayed'}", body, json=json)


@app.command()
def drop(
    letters: Places = None,
    source: Source = "jobs",
    reason: Reason = "",
    task: Task = "",
    *,
    dry_run: Annotated[bool, typer.Option(help="Say which, change nothing.")] = False,
    json: JsonFlag = False,
) -> None:
    """Forget dead letters: lists and filters leave them out until Kafka has no more of them."""
    body = _post("drop", letters, source, reason, task, dry_run=dry_run)
    say(f"{body['dropped']} {'would be dropped' if dry_run else 'dropped'}", body, json=json)


def _post(
    what: str, letters: list[str] | None, source: str, reason: str, task: str, *, dry_run: bool
) -> dict[str, Any]:
    asked: dict[str, Any] = {"source": source, "dry_run": dry_run}
    asked |= {name: value for name, value in (("reason", reason), ("task", task)) if value}
    if letters:
        asked["letters"] = letters
    return require(*call("POST", f"/dlq/{what}", json=asked, timeout_s=60))
