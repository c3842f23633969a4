"""`precompute doctor`: is everything as it should be, and what to do where it is not."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

import typer

from streams.cli.output import JsonFlag, print_json
from streams.doctor.findings import Finding, Level


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    *,
    role: Annotated[
        Literal["streams", "worker", "api"] | None,
        typer.Option(help="The role whose permissions in Kafka are checked; unset: whichever they fit."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Look at settings, Kafka, Redis, model, handlers and disks; exit 1 where something fails."""
    import asyncio

    import msgspec

    from streams.doctor.examination import examine_all, worst

    findings = asyncio.run(examine_all(role))
    if json:
        print_json({"level": worst(findings), "findings": [msgspec.structs.asdict(one) for one in findings]})
    else:
        for line in lines_of(findings):
            typer.echo(line)
        counts = Counter(one.level for one in findings)
        typer.echo(f"\n{counts[Level.OK]} ok, {counts[Level.WARN]} to look at, {counts[Level.FAIL]} failing")
    if worst(findings) == Level.FAIL:
        raise typer.Exit(1)


def lines_of(findings: list[Finding]) -> list[str]:
    """Columns that line up however long a sentence is; what to do stands below what was seen."""
    parts = max((len(one.part) for one in findings), default=0)
    checks = max((len(one.check) for one in findings), default=0)
    lines = []
    for one in findings:
        lines.append(f"{one.level:4}  {one.part:{parts}}  {one.check:{checks}}  {one.seen}")
        if one.remedy:
            lines.append(f"{'':{4 + 2 + parts + 2 + checks + 2}}-> {one.remedy}")
    return lines
