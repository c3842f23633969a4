"""`precompute topics create|check`."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.output import JsonFlag, print_json, print_table
from streams.kafka.topics import TopicAdmin, creation_commands, wanted_topics
from streams.settings import load_settings

app = typer.Typer(help="Make the Kafka topics, or check them.", no_args_is_help=True)


@app.command()
def create(
    *,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print the commands for somebody who may create topics.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Make the topics that are missing; existing ones stay as they are."""
    settings = load_settings()
    if print_only:
        for line in creation_commands(settings):
            typer.echo(line)
        return
    created = TopicAdmin(settings).create()
    if json:
        print_json({"created": created, "wanted": len(wanted_topics(settings))})
    else:
        typer.echo(f"{len(created)} made, {len(wanted_topics(settings)) - len(created)} were there")


@app.command()
def check(*, json: JsonFlag = False) -> None:
    """Say which topics are missing or have a wrong partition count; exit 1 if any."""
    settings = load_settings()
    findings = TopicAdmin(settings).check()
    if json:
        print_json([{"topic": f.topic, "problem": f.problem, "remedy": f.remedy} for f in findings])
    elif findings:
        print_table(["TOPIC", "PROBLEM", "REMEDY"], [[f.topic, f.problem, f.remedy] for f in findings])
    else:
        typer.echo(f"all {len(wanted_topics(settings))} topics are as they must be")
    if findings:
        raise typer.Exit(1)
