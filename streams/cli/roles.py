"""The commands that run a role until a signal."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.starting import prepare
from streams.settings import load_settings

workers = typer.Typer(help="Run a worker, or quiet the running ones.")


def register(app: typer.Typer) -> None:
    app.command()(streams)
    app.add_typer(workers, name="worker")
    app.command()(api)


def streams() -> None:
    """Run the streams role: events in, jobs out (the same as `faust -A streams.app worker`)."""
    from streams.ingest.launch import become_streams

    become_streams(prepare("streams").log_level)


@workers.callback(invoke_without_command=True)
def worker(context: typer.Context) -> None:
    """Run a worker: job topics in, answers into the cache."""
    if context.invoked_subcommand is not None:
        return
    from streams.ops.process import run, run_until_signal, settle_garbage
    from streams.work.role import WorkerRole

    settings = prepare("worker")

    async def work() -> None:
        role = WorkerRole(settings)
        settle_garbage()
        try:
            await run_until_signal(role.group(), role.watched)
        finally:
            await role.close()

    run(work())


@workers.command()
def quiet(
    worker_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="A worker; all of them where none is named.")
    ] = "*",
    *,
    off: Annotated[bool, typer.Option("--off", help="Let them start jobs again.")] = False,
) -> None:
    """Ask workers to finish what runs and to start nothing, for instance before a deploy."""
    import asyncio

    from streams.cache.connection import connect
    from streams.cache.names import RedisNames
    from streams.cache.presence import ask_quiet

    settings = load_settings()

    async def ask() -> None:
        redis = connect(settings)
        try:
            await ask_quiet(redis, RedisNames(settings.namespace), worker_id, quiet=not off)
        finally:
            await redis.aclose()

    asyncio.run(ask())
    typer.echo(
        f"asked {'all workers' if worker_id == '*' else worker_id} to {'go on' if off else 'be quiet'}"
    )


def api() -> None:
    """Run the API: answers over HTTP, and the console."""
    from streams.web.serving import serve

    serve(prepare("api", needs_kafka=False))
