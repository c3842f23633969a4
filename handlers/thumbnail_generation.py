"""Thumbnails: the best picture of each scene, and the best three of all, as files."""

from __future__ import annotations

from typing import Literal

import msgspec

from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import VideoInput


class Thumbnail(msgspec.Struct, frozen=True, kw_only=True):
    """A stored picture. `t` in seconds, sizes in pixels; `score` ranks it within its video, from 0 to 1."""

    t: float
    scene: int
    #: Its place among the best of the whole video, from 1; None outside of the first three.
    rank: int | None
    score: float
    components: dict[str, float]
    presentable: bool
    width: int
    height: int
    format: Literal["jpeg", "webp"]
    bytes: int
    sha256: str
    uri: str


class ThumbnailResult(msgspec.Struct, frozen=True, kw_only=True):
    thumbnails: list[Thumbnail]
    weights: dict[str, float]
    partial: str | None


@handler(task="thumbnail_generation", kind="cpu", version="1", extra="video", needs=("face_detection",))
def thumbnail_generation(video: VideoInput, context: Context) -> ThumbnailResult:
    """Chooses pictures by sharpness, colour, faces and contrast, and writes them in full quality."""
    from handlers.video import quality, thumbnails  # noqa: PLC0415 - the video extra loads with the first job

    chosen, partial = thumbnails.make(video, context)
    return ThumbnailResult(thumbnails=chosen, weights=quality.WEIGHTS, partial=partial)
