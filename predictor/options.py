"""What the predictor's commands share: options, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from streams.contracts.errors import PrecomputeError

Store = Annotated[
    str,
    typer.Option(
        envvar="PRECOMPUTE_MODEL_STORE", help="Where versions are: a folder, or s3://bucket/prefix."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

#: Where versions are, unless somebody says.
STORE = "models"


def reporting(command: Callable[..., None]) -> Callable[..., None]:
    """Our own errors end with one line on stderr and exit code 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except PrecomputeError as exc:
            typer.echo(f"error: {exc}", err=True)
            raise typer.Exit(1) from exc

    return wrapped
