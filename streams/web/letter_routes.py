"""Dead letters over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request

from streams.contracts.results import timestamp
from streams.web.access import services
from streams.web.callers import caller_of
from streams.web.cursors import LONGEST, decode_cursor, encode_cursor
from streams.web.letter_marks import Mark, Settled
from streams.web.letters import MOST_A_PARTITION, Letter, LetterCursor
from streams.web.models import LettersBody
from streams.web.problems import Problem
from streams.web.services import WebServices

router = APIRouter(tags=["dead letters"])

#: A payload's beginning is enough to know it by; `?payload=true` gives it whole.
SHOWN_BYTES = 2_000


@router.get("/dlq", summary="The newest dead letters")
async def letters(
    request: Request,
    *,
    source: Literal["jobs", "events"] = "jobs",
    reason: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    payload: Annotated[bool, Query(description="the original bytes, as text")] = False,
    dropped: Annotated[bool, Query(description="those that were dropped, too")] = False,
    cursor: Annotated[str | None, Query(max_length=LONGEST)] = None,
) -> dict[str, Any]:
    """Newest first, of jobs or of events; payloads only where they are asked for."""
    web = services(request)
    before = decode_cursor(cursor, LetterCursor) if cursor else None
    found, following = await web.letters[source].newest(limit, before)
    chosen = [letter for letter in found if reason in ("", letter.reason)]
    marks = await web.marks.of(chosen)
    listed = [letter for letter in chosen if dropped or not is_dropped(marks.get(letter.place))]
    return {
        "success": True,
        "source": source,
        "letters": [shown(letter, marks.get(letter.place), payload=payload) for letter in listed],
        "next": encode_cursor(following) if following is not None else None,
    }


@router.post("/dlq/replay", summary="Send dead letters again")
async def replay(request: Request, body: LettersBody) -> dict[str, Any]:
    """Named places, or the newest of a reason or task that were not replayed yet. `dry_run` only lists them.

    A job letter becomes a new job, with all of its attempts; an event letter the same event again.
    """
    web = services(request)
    chosen = await choose(web, body)
    if body.dry_run:
        return {"success": True, "dry_run": True, "letters": [letter.place for letter in chosen]}
    results = await web.operations.replay(caller_of(request), chosen)
    replayed = sum(one.replayed_as is not None for one in results)
    return {"success": True, "replayed": replayed, "letters": msgspec.to_builtins(results)}


@router.post("/dlq/drop", summary="Forget dead letters")
async def drop(request: Request, body: LettersBody) -> dict[str, Any]:
    """Named places, or the newest of a reason or task about which nothing was done yet.

    Kafka keeps the records until their time is over, and a place may still be replayed; lists and filters
    leave them out. `dry_run` only lists them.
    """
    web = services(request)
    chosen = await choose(web, body)
    places = [letter.place for letter in chosen]
    if not body.dry_run:
        await web.operations.drop(caller_of(request), chosen)
    return {"success": True, "dry_run": body.dry_run, "dropped": len(chosen), "letters": places}


async def choose(web: WebServices, body: LettersBody) -> list[Letter]:
    """The letters that somebody means; raises `Problem` (422) where nothing says which."""
    box = web.letters[body.source]
    if body.letters is not None:
        return await box.at(body.letters)
    if not body.reason and not body.task:
        raise Problem(422, "name letters, a reason or a task", field="letters")
    found, _ = await box.newest(MOST_A_PARTITION)
    done = await web.marks.of(found)
    return [
        letter
        for letter in found
        if letter.place not in done
        and body.reason in (None, "", letter.reason)
        and (not body.task or letter.key.startswith(f"{body.task}:"))
    ]


def is_dropped(mark: Mark | None) -> bool:
    return mark is not None and mark.settled is Settled.DROPPED


def shown(letter: Letter, mark: Mark | None, *, payload: bool) -> dict[str, Any]:
    fields = msgspec.structs.asdict(letter)
    value = fields.pop("value")
    del fields["headers"], fields["partition"], fields["offset"]
    text = value.decode("utf-8", "replace")
    return {
        **fields,
        "at": timestamp(letter.at),
        **{
            f"{kind.value}_at": timestamp(mark.at) if mark and mark.settled is kind else None
            for kind in Settled
        },
        "bytes": len(value),
        **({"payload": text} if payload else {}),
    }
