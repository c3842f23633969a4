"""Pages as HTML: templates, the words they use for times and numbers, the headers that protect them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from streams.contracts.clock import SYSTEM_CLOCK
from streams.version import VERSION
from streams.web.access import services
from streams.web.callers import Scope, caller_of

_FOLDER = Path(__file__).parent

#: Stands where there is no number; a dash.
NOTHING = "\u2013"

#: Nothing from elsewhere, no inline script or style, in nobody's frame.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"duration": duration, "ago": ago, "clock": clock, "count": count, "percent": percent}
    return made


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page."""
    caller = caller_of(request)
    read_only = services(request).settings.read_only
    html = environment().get_template(template).render(
        path=request.url.path,
        version=VERSION,
        caller=caller.name,
        may_act=caller.may(Scope.OPERATE) and not read_only,
        read_only=read_only,
        **values,
    )  # fmt: skip
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def problem_page(request: Request, status: int, detail: str) -> HTMLResponse:
    """An error for somebody who looks at the console."""
    return page(request, "problem.html", status=status, detail=detail, title=HTTPStatus(status).phrase)


def fragment(template: str, **values: Any) -> str:
    """A part of a page, for live updates."""
    return environment().get_template(template).render(**values)


def duration(seconds: float | None) -> str:
    """0.004 -> 4 ms, 75 -> 1.2 min: two digits are enough for people."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for unit, size in (("s", 60.0), ("min", 60.0), ("h", 24.0)):
        if seconds < size:
            return f"{seconds:.3g} {unit}"
        seconds /= size
    return f"{seconds:.3g} d"


def ago(ms: int | None) -> str:
    """How long ago a time in milliseconds was."""
    return NOTHING if ms is None else duration(max(0.0, SYSTEM_CLOCK.now() - ms / 1000))


def clock(ms: int | None) -> str:
    return NOTHING if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def count(number: float | None) -> str:
    return NOTHING if number is None else f"{number:,.0f}".replace(",", "\u202f")


def percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f} %"
