"""The one job that each measured event asks for."""

from __future__ import annotations

import msgspec

from handlers.context import Context
from handlers.contract import handler


class Acted(msgspec.Struct, frozen=True):
    user_id: str


class Done(msgspec.Struct, frozen=True):
    ok: bool = True


@handler(task="ingest_job", kind="io", version="1", entity="user", ttl_s=3600.0, on=("user.acted",))
async def ingest_job(acted: Acted, context: Context) -> Done:
    """Never run here: no worker takes part."""
    del acted, context
    return Done()
