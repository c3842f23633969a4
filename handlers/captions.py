"""Caption formats: WebVTT (https://www.w3.org/TR/webvtt1/) and SubRip."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Cue(msgspec.Struct, frozen=True, kw_only=True):
    """A line of captions, shown from `start_s` to `end_s`, seconds from the first frame."""

    start_s: float
    end_s: float
    text: str


def vtt_of(cues: Sequence[Cue]) -> str:
    blocks = [f"{_time(c.start_s, '.')} --> {_time(c.end_s, '.')}\n{_escape(c.text)}\n" for c in cues]
    return "\n".join(["WEBVTT\n", *blocks])


def srt_of(cues: Sequence[Cue]) -> str:
    """SubRip has no escape: an arrow in the text would read as a time line, so it is written as a dash."""
    blocks = [
        f"{number}\n{_time(c.start_s, ',')} --> {_time(c.end_s, ',')}\n{_flat(c.text).replace('-->', '->')}\n"
        for number, c in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def _escape(text: str) -> str:
    return _flat(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _flat(text: str) -> str:
    """On one line: an empty line would end the cue."""
    return " ".join(text.split())


def _time(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    hours, rest = divmod(ms, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, part = divmod(rest, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{part:03}"
