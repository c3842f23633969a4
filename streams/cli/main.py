"""Puts the commands together and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from handlers.commands import app as handlers
from streams.cli import (
    access,
    answers,
    batches,
    config,
    demo,
    doctor,
    events,
    jobs,
    keys,
    letters,
    plan,
    predictor,
    roles,
    topics,
)
from streams.contracts.errors import PrecomputeError
from streams.local.state import adopt_state
from streams.ops.parent import follow_parent
from streams.version import VERSION

app = typer.Typer(
    name="precompute",
    help="Answers that exist before anyone asks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for module in (demo, roles, events, answers, batches, plan, doctor):
    module.register(app)
app.add_typer(topics.app, name="topics")
app.add_typer(config.app, name="config")
app.add_typer(access.app, name="access")
app.add_typer(jobs.app, name="jobs")
app.add_typer(letters.app, name="dlq")
app.add_typer(keys.app, name="keys")
app.add_typer(predictor.app, name="predictor")
app.add_typer(predictor.actions, name="actions")
app.add_typer(handlers, name="handlers")


def _print_version(value: bool) -> None:  # noqa: FBT001 (typer's callback)
    if value:
        print(VERSION)  # noqa: T201 (data on stdout)
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    follow_parent()
    adopt_state()


def main() -> None:
    """The console script's entry."""
    try:
        app()
    except PrecomputeError as exc:
        print(f"precompute: {exc}", file=sys.stderr)  # noqa: T201 (a command's last word)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of a pipe left; a traceback would only be noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
