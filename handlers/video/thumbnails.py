"""Choosing, re-reading and storing thumbnails."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from handlers.artifacts import open_store
from handlers.context import Context, MediaPolicy
from handlers.inputs import VideoInput
from handlers.thumbnail_generation import Thumbnail
from handlers.video import quality
from handlers.video.container import open_container
from handlers.video.faces import find_faces, regular
from handlers.video.picture import Picture, decode_jpeg, rotate, to_bgr, write_picture
from handlers.video.scratch import source_of, survey_of
from handlers.video.survey import Survey

#: So many of the whole video, beside one per scene.
BEST = 3
#: One per scene, up to so many scenes: the longest ones.
MAX_SCENES = 24
#: Longer side of a stored picture.
FULL_SIDE = 1280
Format = Literal["jpeg", "webp"]
_SUFFIX: dict[Format, str] = {"jpeg": ".jpg", "webp": ".webp"}


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    t: float
    scene: int
    score: float
    measures: quality.Measures


def make(video: VideoInput, context: Context) -> tuple[list[Thumbnail], str | None]:
    """The stored thumbnails, by time, and why the video's reading ended early, if it did."""
    survey = survey_of(video, context)
    candidates = rate(survey, context.results.get("face_detection"))
    best = best_of(candidates)
    chosen = {one.t: one for one in [*best, *best_per_scene(candidates, survey)]}
    ranks = {one.t: place for place, one in enumerate(best, start=1)}
    writer = _Writer(context)
    made = []
    with source_of(video, context) as path:
        for t, picture in full_pictures(path, context.media, sorted(chosen)):
            made += writer.write(picture, chosen[t], ranks.get(t))
    return made, survey.partial


def rate(survey: Survey, faces: dict[str, Any] | None) -> list[Candidate]:
    """Every evenly spaced sample with its score; without `faces`, a face result, they are looked for here."""
    areas = None if faces is None else _areas(faces)
    samples = regular(survey)
    measured = []
    for sample in samples:
        picture = decode_jpeg(sample.jpeg)
        area = (
            sum(f.area for f in find_faces(picture)) if areas is None else areas.get(round(sample.t, 3), 0.0)
        )
        measured.append(quality.measure(picture, min(1.0, area)))
    return [
        Candidate(t=sample.t, scene=bisect_right(survey.cuts_s, sample.t), score=score, measures=measures)
        for sample, score, measures in zip(samples, quality.scores(measured), measured, strict=True)
    ]


def best_of(candidates: list[Candidate]) -> list[Candidate]:
    """The best three, of three scenes where there are as many."""
    ordered = sorted(candidates, key=lambda one: -one.score)
    best: list[Candidate] = []
    for one in ordered:
        if len(best) < BEST and one.scene not in {other.scene for other in best}:
            best.append(one)
    best += [one for one in ordered if one not in best][: BEST - len(best)]
    return best


def best_per_scene(candidates: list[Candidate], survey: Survey) -> list[Candidate]:
    edges = [0.0, *survey.cuts_s, survey.duration_s]
    scenes = sorted(range(len(edges) - 1), key=lambda i: edges[i] - edges[i + 1])[:MAX_SCENES]
    by_scene = {one.scene: one for one in sorted(candidates, key=lambda one: one.score)}
    return [by_scene[scene] for scene in scenes if scene in by_scene]


def full_pictures(path: Path, policy: MediaPolicy, times: list[float]) -> Iterator[tuple[float, Picture]]:
    """The frames at `times` (seconds from the first frame, ascending), read again in full quality."""
    with open_container(path, policy) as container:
        stream = container.streams.video[0]
        half_frame = 0.5 / float(stream.average_rate or 25)
        start = float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
        for t in times:
            container.seek(max(0, int((start + t) / stream.time_base)), stream=stream)
            for frame in container.decode(stream):
                if frame.time is not None and float(frame.time) >= start + t - half_frame:
                    yield t, rotate(to_bgr(frame, FULL_SIDE), frame.rotation)
                    break


def _areas(faces: dict[str, Any]) -> dict[float, float]:
    return {
        one["t"]: sum(face["box_norm"][2] * face["box_norm"][3] for face in one["faces"])
        for one in faces.get("detections", [])
    }


class _Writer:
    """Writes the pictures of one entity into the store."""

    def __init__(self, context: Context) -> None:
        self._store = open_store(context)
        self._folder = context.entity_id

    def write(self, picture: Picture, chosen: Candidate, rank: int | None) -> list[Thumbnail]:
        """The picture as JPEG, and as WebP too where it is one of the best."""
        kinds: tuple[Format, ...] = ("jpeg",) if rank is None else ("jpeg", "webp")
        return [self._write(picture, chosen, rank, kind) for kind in kinds]

    def _write(self, picture: Picture, chosen: Candidate, rank: int | None, kind: Format) -> Thumbnail:
        data = write_picture(picture, kind)
        kept = self._store.put(data, folder=self._folder, suffix=_SUFFIX[kind], media_type=f"image/{kind}")
        return Thumbnail(
            t=round(chosen.t, 3),
            scene=chosen.scene,
            rank=rank,
            score=chosen.score,
            components=msgspec.structs.asdict(chosen.measures),
            presentable=chosen.measures.is_presentable,
            width=picture.shape[1],
            height=picture.shape[0],
            format=kind,
            bytes=kept.bytes,
            sha256=kept.sha256,
            uri=kept.uri,
        )
