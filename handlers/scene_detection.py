"""Scenes: where the hard cuts are."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import VideoInput


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the first frame; the end is the next scene's start."""

    index: int
    start_s: float
    end_s: float


class SceneResult(msgspec.Struct, frozen=True, kw_only=True):
    """`partial` says where a damaged video ended; None for a whole one."""

    scene_count: int
    avg_scene_s: float
    scenes: list[Scene]
    duration_s: float
    frames: int
    fps: float
    width: int
    height: int
    detector: str
    params: dict[str, float]
    partial: str | None


@handler(task="scene_detection", kind="cpu", version="1", extra="video")
def scene_detection(video: VideoInput, context: Context) -> SceneResult:
    """Finds the hard cuts of a video and the scenes between them."""
    from handlers.video import cuts, scratch  # noqa: PLC0415 - the video extra loads with the first job

    survey = scratch.survey_of(video, context)
    scenes = scenes_between(survey.cuts_s, survey.duration_s)
    return SceneResult(
        scene_count=len(scenes),
        avg_scene_s=round(survey.duration_s / len(scenes), 3),
        scenes=scenes,
        duration_s=survey.duration_s,
        frames=survey.frames,
        fps=survey.info.fps,
        width=survey.info.width,
        height=survey.info.height,
        detector=cuts.DETECTOR,
        params=cuts.PARAMS,
        partial=survey.partial,
    )


def scenes_between(cuts_s: list[float], duration_s: float) -> list[Scene]:
    """The scenes that the cuts leave; one where there is no cut."""
    edges = [0.0, *cuts_s, duration_s]
    return [Scene(index=i, start_s=start, end_s=end) for i, (start, end) in enumerate(pairwise(edges))]
