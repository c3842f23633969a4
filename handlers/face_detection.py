"""Faces: when they are seen, how many, and where in the picture."""

from __future__ import annotations

import msgspec

from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import VideoInput


class FaceBox(msgspec.Struct, frozen=True, kw_only=True):
    """`box_norm`: left, top, width, height as shares of the picture; `score`: the detector's, 0 to 1."""

    box_norm: tuple[float, float, float, float]
    score: float


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """A sampled picture with at least one face, at `t` seconds."""

    t: float
    faces: list[FaceBox]


class FaceResult(msgspec.Struct, frozen=True, kw_only=True):
    """`face_time_ratio` is the share of sampled pictures with a face."""

    frames_sampled: int
    frames_with_face: int
    face_time_ratio: float
    max_faces: int
    detections: list[Detection]
    sample_step_s: float
    model: str
    threshold: float
    partial: str | None


@handler(task="face_detection", kind="cpu", version="1", extra="video")
def face_detection(video: VideoInput, context: Context) -> FaceResult:
    """Finds the faces in pictures sampled from a video, evenly spaced; recognises nobody."""
    from handlers.video import faces, scratch  # noqa: PLC0415 - the video extra loads with the first job

    survey = scratch.survey_of(video, context)
    seen = faces.sightings(survey)
    with_face = [one for one in seen if one.faces]
    return FaceResult(
        frames_sampled=len(seen),
        frames_with_face=len(with_face),
        face_time_ratio=round(len(with_face) / len(seen), 4) if seen else 0.0,
        max_faces=max((len(one.faces) for one in seen), default=0),
        detections=[
            Detection(t=one.t, faces=[FaceBox(box_norm=f.box_norm, score=f.score) for f in one.faces])
            for one in with_face
        ],
        sample_step_s=round(survey.duration_s / len(seen), 3) if seen else 0.0,
        model=faces.MODEL,
        threshold=faces.THRESHOLD,
        partial=survey.partial,
    )
