"""`precompute predictor …`: the predictor's own commands, and its switch; `precompute actions list`."""

from __future__ import annotations

import asyncio

import typer

from predictor.actions import BUILTIN_ACTIONS
from predictor.commands import build_app
from predictor.dataset import Record
from streams.cli.output import JsonFlag, print_json, print_table
from streams.settings import Settings, load_settings


def _read_topic() -> list[Record]:
    from streams.ingest.archive import read_actions

    return read_actions(load_settings())


app = build_app(_read_topic)
actions = typer.Typer(help="The actions a user may be predicted to take.", no_args_is_help=True)


@app.command()
def off() -> None:
    """Stop acting on predictions, everywhere, within seconds; scoring and learning go on."""
    asyncio.run(_switch(load_settings(), on=False))
    typer.echo("predictions are not acted on; `precompute predictor on` resumes")


@app.command()
def on() -> None:
    """Act on predictions again."""
    asyncio.run(_switch(load_settings(), on=True))
    typer.echo("predictions are acted on where it pays")


async def _switch(settings: Settings, *, on: bool) -> None:
    from streams.cache.connection import AWAY, connect
    from streams.cache.names import RedisNames
    from streams.contracts.errors import UnavailableError

    redis = connect(settings)
    name = RedisNames(settings.namespace).predictor_off
    try:
        await (redis.delete(name) if on else redis.set(name, "1"))
    except AWAY as exc:
        raise UnavailableError(f"the cache does not answer: {exc}; is REDIS_URL right?") from exc
    finally:
        await redis.aclose()


@actions.command("list")
def list_actions(*, json: JsonFlag = False) -> None:
    """Built-in actions and the task types that answer them."""
    rows = [
        [spec.name, spec.entity, ", ".join(spec.tasks), spec.description] for spec in BUILTIN_ACTIONS.values()
    ]
    if json:
        print_json(
            [dict(zip(("action", "entity", "tasks", "description"), row, strict=True)) for row in rows]
        )
    else:
        print_table(["ACTION", "ENTITY", "TASKS", "DESCRIPTION"], rows)
