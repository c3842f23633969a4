"""Measures of a video's first three seconds, and their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.hook_analysis import HookMeasures, HookScores
from handlers.video import loudness, quality
from handlers.video.faces import find_faces
from handlers.video.picture import Picture, decode_jpeg
from handlers.video.survey import OPENING_S, Sample, Survey

#: What counts as the opening.
SECONDS = OPENING_S
#: Chosen, not fitted: what creative guides stress most counts most.
WEIGHTS: dict[str, float] = {"motion": 0.25, "pace": 0.2, "first_frame": 0.2, "face": 0.2, "sound": 0.15}
#: Pictures are compared at this width: optical flow is the dearest measure.
FLOW_WIDTH = 160
#: Farneback 2003 in OpenCV: pyramid 0.5, levels, window, iterations, neighbourhood, sigma.
_FLOW = (0.5, 2, 13, 2, 5, 1.1, 0)
#: A measure of so much earns 63 % of its score; twice as much 86 %.
HALF_FLOW, HALF_CUTS, HALF_FACE = 0.25, 1.5, 0.05


def measure_opening(survey: Survey, faces: dict[str, Any] | None) -> HookMeasures:
    """Measures the opening; `faces` is the face result, without which faces are looked for here."""
    samples = [sample for sample in survey.samples if sample.t < OPENING_S]
    pictures = [decode_jpeg(sample.jpeg) for sample in samples]
    first = quality.measure(pictures[0], 0.0)
    areas = _face_areas(samples, pictures) if faces is None else _known_areas(faces, samples)
    heard = loudness.measure(survey.audio, OPENING_S)
    return HookMeasures(
        cuts=sum(cut < OPENING_S for cut in survey.cuts_s),
        flow_widths_per_s=round(_flow(samples, pictures, survey.cuts_s), 4),
        first_brightness=first.brightness,
        first_contrast=first.contrast,
        first_colourfulness=first.colourfulness,
        first_sharpness=first.sharpness,
        face_time_ratio=round(sum(area > 0 for area in areas) / len(areas), 4) if areas else 0.0,
        largest_face=round(max(areas, default=0.0), 4),
        sound_onset_s=heard.onset_s,
        sound_level_db=heard.level_db,
        sound_rise_db=heard.rise_db,
    )


def score(measured: HookMeasures, *, has_audio: bool) -> HookScores:
    """The scores of what was measured, each from 0 to 1."""
    seen = 0.5 * measured.face_time_ratio + 0.5 * _saturate(measured.largest_face, HALF_FACE)
    return HookScores(
        motion=_saturate(measured.flow_widths_per_s, HALF_FLOW),
        pace=_saturate(measured.cuts, HALF_CUTS),
        first_frame=_first_frame(measured),
        face=round(seen, 4),
        sound=_sound(measured) if has_audio else None,
    )


def weighted(scores: HookScores) -> float:
    """The weighted mean of the scores there are."""
    known = {name: value for name, value in msgspec.structs.asdict(scores).items() if value is not None}
    total = sum(WEIGHTS[name] for name in known)
    return round(float(sum(WEIGHTS[name] * value for name, value in known.items())) / total, 4)


def _first_frame(measured: HookMeasures) -> float:
    """Neither dark nor white, with contrast and colour."""
    light = 1 - min(1.0, abs(measured.first_brightness - 127.5) / 127.5)
    contrast = min(1.0, measured.first_contrast / 64)
    colour = min(1.0, measured.first_colourfulness / 60)
    return round((light + contrast + colour) / 3, 4)


def _sound(measured: HookMeasures) -> float:
    """Early and clearly there: half for the onset, half for a level of -40 dB and up to -15."""
    if measured.sound_onset_s is None or measured.sound_level_db is None:
        return 0.0
    early = 1 - min(1.0, measured.sound_onset_s / OPENING_S)
    loud = min(1.0, max(0.0, (measured.sound_level_db + 40) / 25))
    return round(0.5 * early + 0.5 * loud, 4)


def _saturate(value: float, half: float) -> float:
    return round(1 - math.exp(-value / half), 4)


def _flow(samples: Sequence[Sample], pictures: Sequence[Picture], cuts: Sequence[float]) -> float:
    """Mean length of the optical flow, in picture widths a second; not measured across a cut."""
    grey = [_small_grey(picture) for picture in pictures]
    speeds = []
    for (before, now), (old, new) in zip(pairwise(samples), pairwise(grey), strict=True):
        if not any(before.t < cut <= now.t for cut in cuts) and now.t > before.t:
            flow = cv2.calcOpticalFlowFarneback(old, new, None, *_FLOW)
            length = float(np.linalg.norm(flow, axis=2).mean())
            speeds.append(length / old.shape[1] / (now.t - before.t))
    return sum(speeds) / len(speeds) if speeds else 0.0


def _small_grey(picture: Picture) -> NDArray[np.uint8]:
    height = max(8, round(picture.shape[0] * FLOW_WIDTH / picture.shape[1]))
    small = cv2.resize(picture, (FLOW_WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def _face_areas(samples: Sequence[Sample], pictures: Sequence[Picture]) -> list[float]:
    return [
        sum(face.area for face in find_faces(picture))
        for sample, picture in zip(samples, pictures, strict=True)
        if sample.regular
    ]


def _known_areas(faces: dict[str, Any], samples: Sequence[Sample]) -> list[float]:
    areas = {
        one["t"]: sum(face["box_norm"][2] * face["box_norm"][3] for face in one["faces"])
        for one in faces.get("detections", [])
    }
    return [areas.get(round(sample.t, 3), 0.0) for sample in samples if sample.regular]
