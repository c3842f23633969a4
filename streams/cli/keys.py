"""`precompute keys create|list|revoke`: who may call the API. Works on Redis itself, before any API runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from streams.cli.output import JsonFlag, print_json, print_table, say
from streams.contracts.errors import PrecomputeError
from streams.contracts.results import timestamp
from streams.settings import load_settings
from streams.web.callers import Scope
from streams.web.keys import ApiKey, KeyStore

app = typer.Typer(help="API keys: made, listed, revoked.", no_args_is_help=True)

T = TypeVar("T")

_DAY_S = 86_400.0


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what it is for.")],
    scope: Annotated[list[Scope] | None, typer.Option(help="read, publish, operate; several times.")] = None,
    days: Annotated[float | None, typer.Option(help="It ends after so many days.")] = None,
    *,
    json: JsonFlag = False,
) -> None:
    """Make a key and print it, this once; only its hash is kept. Without --scope it may read."""
    ttl_s = days * _DAY_S if days is not None else None
    record, token = _with_store(lambda store: store.create(name, scope or [Scope.READ], ttl_s=ttl_s))
    if json:
        print_json({**_shown(record), "key": token})
    else:
        typer.echo(token)


@app.command("list")
def list_keys(*, json: JsonFlag = False) -> None:
    """The keys that there are."""
    rows = [_shown(record) for record in _with_store(lambda store: store.list())]
    if json:
        print_json(rows)
    else:
        shown = [[r["id"], r["name"], r["scopes"], r["created_at"], r["expires_at"]] for r in rows]
        print_table(["ID", "NAME", "SCOPES", "CREATED", "EXPIRES"], shown)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")], *, json: JsonFlag = False) -> None:
    """End a key; processes that know it forget it within seconds."""
    if not _with_store(lambda store: store.revoke(key_id)):
        raise PrecomputeError(f"no key {key_id}; `precompute keys list` has those there are")
    say("revoked", {"id": key_id, "revoked": True}, json=json)


def _with_store(act: Callable[[KeyStore], Awaitable[T]]) -> T:
    from streams.cache.connection import connect
    from streams.cache.names import RedisNames

    async def run() -> T:
        settings = load_settings()
        redis = connect(settings)
        try:
            return await act(KeyStore(redis, RedisNames(settings.namespace)))
        finally:
            await redis.aclose()

    return asyncio.run(run())


def _shown(record: ApiKey) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "scopes": ",".join(record.scopes),
        "created_at": timestamp(record.created_at),
        "expires_at": timestamp(record.expires_at) if record.expires_at is not None else None,
    }
