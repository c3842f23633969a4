"""`precompute predictor …`: the predictor's own commands, and its switch; `precompute actions list`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from predictor.actions import BUILTIN_ACTIONS
from predictor.commands import build_app
from predictor.dataset import Record
from streams.cli.output import JsonFlag, print_json, print_table
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from predictor.shadow import Comparison
    from streams.cache.scorecards import Scorecard


def _read_topic() -> list[Record]:
    from streams.ingest.archive import read_actions

    return read_actions(load_settings())


def _read_live() -> tuple[str, str, Comparison] | None:
    from predictor.shadow import Comparison, Verdict
    from streams.cache.shadows import merged_shadow

    cards = asyncio.run(_read_cards(load_settings()))
    found = merged_shadow([card.shadow for card in cards if card.shadow is not None])
    if found is None:
        return None
    comparison = Comparison(
        verdict=Verdict(found.verdict),
        events=found.events,
        gain=found.gain,
        low=found.low,
        high=found.high,
        champion_ece=found.champion_error,
        challenger_ece=found.challenger_error,
    )
    return found.champion, found.challenger, comparison


async def _read_cards(settings: Settings) -> list[Scorecard]:
    from streams.cache.connection import connect
    from streams.cache.names import RedisNames
    from streams.cache.scorecards import Scorecards
    from streams.contracts.clock import SYSTEM_CLOCK, millis

    redis = connect(settings)
    try:
        return await Scorecards(redis, RedisNames(settings.namespace)).read(millis(SYSTEM_CLOCK.now()))
    finally:
        await redis.aclose()


app = build_app(_read_topic, _read_live)
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
