"""The commands that run a role until a signal."""

from __future__ import annotations

import sys

import typer

from streams.settings import load_settings


def register(app: typer.Typer) -> None:
    app.command()(streams)
    app.command()(worker)
    app.command()(api)


def streams() -> None:
    """Run the streams role: events in, jobs out (the same as `faust -A streams.app worker`)."""
    import uvloop
    from faust.cli.faust import cli

    from streams.kafka.topics import TopicAdmin

    settings = load_settings()
    TopicAdmin(settings).require()
    uvloop.install()
    sys.argv = ["faust", "-A", "streams.app", "worker", "--loglevel", settings.log_level, "--without-web"]
    cli()


def worker() -> None:
    """Run a worker: job topics in, answers into the cache."""
    from streams.kafka.topics import TopicAdmin
    from streams.ops.logging import configure_logging
    from streams.ops.process import run, run_until_signal
    from streams.work.role import WorkerRole

    settings = load_settings()
    configure_logging(settings, "worker")
    TopicAdmin(settings).require()

    async def work() -> None:
        role = WorkerRole(settings)
        try:
            await run_until_signal(role.group(), role.watched)
        finally:
            await role.close()

    run(work())


def api() -> None:
    """Run the API: answers over HTTP, and the console."""
    import uvicorn

    from streams.web.app import create_app

    settings = load_settings()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.grace_s),
        server_header=False,
    )
