"""What can be done from the console: each act is first shown with what it would touch, then done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from streams.cache.job_search import JobFilter
from streams.contracts.jobs import Why
from streams.contracts.keys import KeyPattern
from streams.contracts.states import Status
from streams.web.access import services
from streams.web.callers import Caller, Scope, caller_of
from streams.web.console.rendering import page
from streams.web.job_routes import job_filter
from streams.web.letter_routes import choose
from streams.web.models import Filters, LettersBody
from streams.web.problems import Problem
from streams.web.services import WebServices

router = APIRouter(prefix="/console", include_in_schema=False)

Fields = Mapping[str, str]

_LONGEST_FORM = 20_000


class Question(msgspec.Struct, frozen=True):
    """What is asked before an act: the sentence, the word on the button, and what it will touch."""

    sentence: str
    button: str
    touched: tuple[str, ...] = ()
    is_possible: bool = True


class Act(msgspec.Struct, frozen=True):
    ask: Callable[[WebServices, Fields], Awaitable[Question]]
    do: Callable[[WebServices, Caller, Fields], Awaitable[Any]]


@router.get("/confirm")
async def confirm(request: Request) -> Response:
    """The question; nothing is done yet."""
    fields = dict(request.query_params)
    act = _act(request, fields)
    question = await act.ask(services(request), fields)
    return page(request, "confirm.html", question=question, fields=fields)


@router.post("/do")
async def do(request: Request) -> Response:
    """Does it; the audit log, where the browser goes then, shows what came of it."""
    body = await request.body()
    if len(body) > _LONGEST_FORM:
        raise Problem(413, "a form of the console is shorter")
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=20))
    act = _act(request, fields)
    await act.do(services(request), caller_of(request), fields)
    return RedirectResponse("/console/audit", status_code=303)


def _act(request: Request, fields: Fields) -> Act:
    if services(request).settings.read_only or not caller_of(request).may(Scope.OPERATE):
        raise Problem(403, "this console is read-only")
    act = _ACTS.get(fields.get("act", ""))
    if act is None:
        raise Problem(400, "no such action", field="act")
    return act


async def _ask_retry(web: WebServices, fields: Fields) -> Question:
    record = await web.ledger.job(fields.get("job", ""))
    if record is None:
        raise Problem(404, "no job of that id; timelines are kept for a day")
    return Question(f"Compute {record.facts.key} again, as a new job at priority 9?", "Retry")


async def _retry(web: WebServices, caller: Caller, fields: Fields) -> None:
    await web.operations.retry(caller, fields.get("job", ""))


async def _ask_cancel(web: WebServices, fields: Fields) -> Question:
    record = await web.ledger.job(fields.get("job", ""))
    if record is None:
        raise Problem(404, "no job of that id; timelines are kept for a day")
    key = record.facts.key
    if record.status is Status.PROCESSING:
        return Question(f"Stop the job that computes {key}? What it has done is lost.", "Stop job")
    return Question(f"Do not run the job for {key}? Readers who wait for it are told.", "Cancel job")


async def _cancel(web: WebServices, caller: Caller, fields: Fields) -> None:
    await web.operations.cancel(caller, fields.get("job", ""))


def _wanted(web: WebServices, fields: Fields) -> JobFilter:
    status, why, task = fields.get("status", ""), fields.get("why", ""), fields.get("task", "")
    return job_filter(
        web.tasks,
        [Status(status)] if status in set(Status) else None,
        [task] if task else None,
        user=fields.get("user", ""),
        why=Why(why) if why in set(Why) else None,
        key=fields.get("key", ""),
    )


def _bulk(action: str, verb: str) -> Act:
    async def ask(web: WebServices, fields: Fields) -> Question:
        found = await web.operations.matching(action, _wanted(web, fields))
        touched = tuple(f"{r.facts.key} ({r.status.value})" for r in found)
        return Question(
            f"{verb} {len(found)} jobs?", f"{verb} {len(found)}", touched, is_possible=bool(found)
        )

    async def do(web: WebServices, caller: Caller, fields: Fields) -> None:
        await web.operations.bulk(caller, action, _wanted(web, fields), dry_run=False)

    return Act(ask, do)


def _letters_body(fields: Fields) -> LettersBody:
    place = fields.get("letter")
    return LettersBody(
        source="events" if fields.get("source") == "events" else "jobs",
        letters=[place] if place else None,
        reason=fields.get("reason") or None,
    )


async def _ask_replay(web: WebServices, fields: Fields) -> Question:
    chosen = await choose(web, _letters_body(fields))
    touched = tuple(f"{letter.key}: {letter.reason}" for letter in chosen)
    count = len(chosen)
    return Question(f"Send {count} dead letters again?", f"Replay {count}", touched, is_possible=bool(chosen))


async def _replay(web: WebServices, caller: Caller, fields: Fields) -> None:
    await web.operations.replay(caller, await choose(web, _letters_body(fields)))


async def _ask_drop(web: WebServices, fields: Fields) -> Question:
    chosen = await choose(web, _letters_body(fields))
    touched = tuple(f"{letter.key}: {letter.reason}" for letter in chosen)
    count = len(chosen)
    return Question(f"Forget {count} dead letters?", f"Drop {count}", touched, is_possible=bool(chosen))


async def _drop(web: WebServices, caller: Caller, fields: Fields) -> None:
    await web.operations.drop(caller, await choose(web, _letters_body(fields)))


async def _ask_invalidate(web: WebServices, fields: Fields) -> Question:
    text = fields.get("pattern", "").strip()
    pattern = KeyPattern.parse(text, web.tasks)
    count = await web.invalidator.preview(pattern)
    what = "EVERY answer" if pattern.is_everything else text
    return Question(f"Invalidate {what}? That is {count} answers now.", f"Invalidate {count}")


async def _invalidate(web: WebServices, caller: Caller, fields: Fields) -> None:
    text = fields.get("pattern", "").strip()
    await web.operations.invalidate(caller, KeyPattern.parse(text, web.tasks), text)


async def _ask_refresh(web: WebServices, fields: Fields) -> Question:
    spec = web.tasks.require(fields.get("task", ""))
    count = await web.invalidator.preview(KeyPattern(spec.name))
    return Question(f"Compute the {count} answers of {spec.name} again, at priority 3?", f"Refresh {count}")


async def _refresh(web: WebServices, caller: Caller, fields: Fields) -> None:
    await web.operations.refresh(caller, web.tasks.require(fields.get("task", "")), Filters())


def _quieting(*, quiet: bool) -> Act:
    async def ask(_: WebServices, fields: Fields) -> Question:
        worker = fields.get("worker", "*")
        who = "all workers" if worker == "*" else f"worker {worker}"
        if quiet:
            return Question(f"Ask {who} to start nothing? What runs is finished.", "Quiet")
        return Question(f"Let {who} go on?", "Resume")

    async def do(web: WebServices, caller: Caller, fields: Fields) -> None:
        await web.operations.quiet(caller, fields.get("worker", "*")[:200], quiet=quiet)

    return Act(ask, do)


_ACTS: dict[str, Act] = {
    "retry": Act(_ask_retry, _retry),
    "cancel": Act(_ask_cancel, _cancel),
    "retry-all": _bulk("retry", "Retry"),
    "cancel-all": _bulk("cancel", "Cancel"),
    "replay": Act(_ask_replay, _replay),
    "drop": Act(_ask_drop, _drop),
    "invalidate": Act(_ask_invalidate, _invalidate),
    "refresh": Act(_ask_refresh, _refresh),
    "quiet": _quieting(quiet=True),
    "resume": _quieting(quiet=False),
}
