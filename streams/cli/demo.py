"""`precompute demo` and `precompute dev`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Bootstrap = Annotated[str | None, typer.Option(help="Use this Kafka instead of starting one.")]
RedisUrl = Annotated[str | None, typer.Option(help="Use this Redis instead of starting one.")]


def register(app: typer.Typer) -> None:
    app.command()(demo)
    app.command()(dev)


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the tables.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    video: Annotated[Path | None, typer.Option(help="A video of yours instead of a drawn one.")] = None,
    bootstrap: Bootstrap = None,
    redis_url: RedisUrl = None,
) -> None:
    """Start everything on this machine and watch events become answers."""
    from streams.local.demo import DemoOptions, run_demo

    options = DemoOptions(once=once, json=json, video=video, bootstrap_servers=bootstrap, redis_url=redis_url)
    if not run_demo(options):
        raise typer.Exit(1)


def dev(*, bootstrap: Bootstrap = None, redis_url: RedisUrl = None) -> None:
    """Run everything on this machine until Ctrl-C."""
    from streams.local.demo import DemoOptions, run_dev

    run_dev(DemoOptions(bootstrap_servers=bootstrap, redis_url=redis_url))
