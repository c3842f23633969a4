"""The hook: what a video does in its first three seconds."""

from __future__ import annotations

import msgspec

from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import VideoInput


class HookScores(msgspec.Struct, frozen=True, kw_only=True):
    """Each from 0 to 1; None where it could not be measured, and then its weight goes to the others."""

    motion: float
    pace: float
    first_frame: float
    face: float
    sound: float | None


class HookMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, in its own units.

    Flow is the mean optical flow, in picture widths a second. Brightness and contrast run from 0 to 255;
    levels are in dB of full scale, None for silence; `sound_onset_s` is when it first rises above -50 dB.
    """

    cuts: int
    flow_widths_per_s: float
    first_brightness: float
    first_contrast: float
    first_colourfulness: float
    first_sharpness: float
    face_time_ratio: float
    largest_face: float
    sound_onset_s: float | None
    sound_level_db: float | None
    sound_rise_db: float | None


class HookResult(msgspec.Struct, frozen=True, kw_only=True):
    """`hook_score` is the weighted mean of the scores. It orders videos; it is not a retention rate, and
    `calibration` says so.
    """

    hook_score: float
    scores: HookScores
    weights: dict[str, float]
    measures: HookMeasures
    opening_s: float
    calibration: str
    warnings: list[str]
    partial: str | None


@handler(task="hook_analysis", kind="cpu", version="1", extra="video", needs=("face_detection",))
def hook_analysis(video: VideoInput, context: Context) -> HookResult:
    """Measures motion, cuts, first frame, faces and sound in a video's first three seconds."""
    from handlers.video import opening, scratch  # noqa: PLC0415 - the video extra loads with the first job

    survey = scratch.survey_of(video, context)
    measured = opening.measure_opening(survey, context.results.get("face_detection"))
    scores = opening.score(measured, has_audio=survey.info.has_audio)
    return HookResult(
        hook_score=opening.weighted(scores),
        scores=scores,
        weights=opening.WEIGHTS,
        measures=measured,
        opening_s=min(opening.SECONDS, survey.duration_s),
        calibration="none",
        warnings=["not fitted to any audience: the score orders videos, it predicts no retention"],
        partial=survey.partial,
    )
