"""The screens."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from streams.cache.job_walk import JobCursor
from streams.cache.memory import read_memory
from streams.cache.presence import living_workers
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.errors import CacheKeyError
from streams.contracts.ids import is_id
from streams.contracts.jobs import Why
from streams.contracts.keys import CacheKey
from streams.contracts.results import StoredResult
from streams.contracts.states import Status
from streams.web.access import services
from streams.web.console.overview import overview
from streams.web.console.rendering import page
from streams.web.cursors import decode_cursor, encode_cursor
from streams.web.job_routes import job_filter
from streams.web.letter_routes import SHOWN_BYTES, is_dropped
from streams.web.letters import LetterCursor
from streams.web.problems import Problem
from streams.web.services import WebServices

router = APIRouter(prefix="/console", include_in_schema=False)

_STATIC = Path(__file__).parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
JOBS_A_PAGE = 50
LETTERS_A_PAGE = 50

Text = Annotated[str, Query(max_length=500)]


@router.get("")
async def show_overview(request: Request) -> Response:
    return page(request, "overview.html", data=await overview(services(request)))


@router.get("/jobs")
async def show_jobs(
    request: Request, *, status: Text = "", task: Text = "", user: Text = "", why: Text = "", key: Text = "",
    cursor: Text = "",
) -> Response:  # fmt: skip
    web = services(request)
    wanted = job_filter(
        web.tasks,
        [Status(status)] if status in set(Status) else None,
        [task] if task in web.tasks else None,
        user=user.strip(),
        why=Why(why) if why in set(Why) else None,
        key=key.strip(),
    )
    after = decode_cursor(cursor, JobCursor) if cursor else None
    found, following = await web.search.page(wanted, limit=JOBS_A_PAGE, after=after)
    chosen = {"status": status, "task": task, "user": user, "why": why, "key": key}
    return page(
        request,
        "jobs.html",
        jobs=found,
        chosen={name: value for name, value in chosen.items() if value},
        statuses=list(Status),
        tasks=list(web.tasks),
        whys=list(Why),
        next=encode_cursor(following) if following is not None else None,
    )


@router.get("/jobs/{job_id}")
async def show_job(request: Request, job_id: str) -> Response:
    web = services(request)
    record = await web.ledger.job(job_id) if is_id(job_id) else None
    if record is None:
        raise Problem(404, "no job of that id; timelines are kept for a day")
    return page(request, "job.html", job=record)


@router.get("/letters")
async def show_letters(
    request: Request, *, source: Text = "jobs", reason: Text = "", cursor: Text = ""
) -> Response:
    web = services(request)
    box = web.letters["events" if source == "events" else "jobs"]
    before = decode_cursor(cursor, LetterCursor) if cursor else None
    found, following = await box.newest(LETTERS_A_PAGE, before)
    marks = await web.marks.of(found)
    chosen = [
        letter
        for letter in found
        if reason in ("", letter.reason) and not is_dropped(marks.get(letter.place))
    ]
    return page(
        request,
        "letters.html",
        letters=chosen,
        marks=marks,
        source=source,
        reason=reason,
        reasons=sorted({letter.reason for letter in found}),
        next=encode_cursor(following) if following is not None else None,
    )


@router.get("/letter")
async def show_letter(request: Request, place: Text) -> Response:
    web = services(request)
    source = "events" if place.startswith(web.letters["events"].topic + "/") else "jobs"
    found = await web.letters[source].at([place])
    if not found:
        raise Problem(404, "that letter is no longer kept")
    letter = found[0]
    text = letter.value[: 10 * SHOWN_BYTES].decode("utf-8", "replace")
    marks = await web.marks.of([letter])
    return page(request, "letter.html", letter=letter, source=source, payload=text, mark=marks.get(place))


@router.get("/cache")
async def show_cache(request: Request, *, key: Text = "", pattern: Text = "") -> Response:
    web = services(request)
    looked: dict[str, Any] = {"key": key.strip(), "problem": "", "answer": None, "ttl_s": None}
    if looked["key"]:
        try:
            looked |= await _look_up(web, CacheKey.parse(looked["key"], web.tasks))
        except CacheKeyError as exc:
            looked["problem"] = str(exc)
    sizes = await _sizes(web)
    return page(
        request,
        "cache.html",
        looked=looked,
        pattern=pattern,
        sizes=sizes,
        memory=await read_memory(web.redis),
    )


async def _look_up(web: WebServices, key: CacheKey) -> dict[str, Any]:
    stored: StoredResult | None = (await web.reader.stored([str(key)]))[0]
    if stored is None:
        return {"problem": "there is no answer for this key"}
    left_ms = await web.redis.pttl(web.names.result(str(key)))
    result = msgspec.json.format(bytes(stored.result), indent=2).decode()
    now = millis(SYSTEM_CLOCK.now())
    return {
        "answer": stored,
        "is_fresh": now < stored.expires_at,
        "ttl_s": (stored.expires_at - now) / 1000,
        "gone_s": left_ms / 1000,
        "result": result[:20_000],
        "is_cut": len(result) > 20_000,
    }


async def _sizes(web: WebServices) -> list[dict[str, Any]]:
    now = millis(SYSTEM_CLOCK.now())
    pipe = web.redis.pipeline(transaction=False)
    for task in web.tasks:
        pipe.zcount(web.names.index(task), now, "+inf")
        pipe.zcount(web.names.unread(task), now, "+inf")
    counts = await pipe.execute()
    return [
        {"task": task, "ttl_s": spec.ttl_s, "answers": counts[2 * i], "unread": counts[2 * i + 1]}
        for i, (task, spec) in enumerate(web.tasks.items())
    ]


@router.get("/predictor")
async def show_predictor(request: Request, *, user: Text = "") -> Response:
    web = services(request)
    user = user.strip()
    found = await web.mirror.predictions(user) if is_id(user) else None
    history = await web.mirror.history(user) if is_id(user) else []
    return page(
        request,
        "predictor.html",
        status=200,
        data=await web.forecast.status(),
        user=user,
        user_is_valid=not user or is_id(user),
        found=found,
        history=history[-10:],
    )


@router.get("/workers")
async def show_workers(request: Request) -> Response:
    web = services(request)
    return page(request, "workers.html", workers=await living_workers(web.redis, web.names))


@router.get("/audit")
async def show_audit(request: Request) -> Response:
    return page(request, "audit.html", entries=await services(request).audit.newest(100))


@router.get("/")
async def show_home(_: Request) -> Response:
    return RedirectResponse("/console", status_code=308)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    path = _STATIC / name
    if path.suffix not in _KINDS or path.parent != _STATIC or not path.is_file():
        raise Problem(404, "no such file")
    tag = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
    headers = {"Cache-Control": "max-age=300", "ETag": f'"{tag}"'}
    return FileResponse(path, media_type=_KINDS[path.suffix], headers=headers)
