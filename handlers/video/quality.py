"""How good a picture is as a thumbnail: four measures, ranked within one video, weighted."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.video.picture import Picture

#: A clear picture first, then colour, a face, and contrast.
WEIGHTS = {"sharpness": 0.35, "colourfulness": 0.25, "face_area": 0.25, "contrast": 0.15}
#: Mean brightness (0 to 255) outside of which a picture is black or white; contrast below which it is flat.
DARKEST, LIGHTEST, FLATTEST = 10.0, 240.0, 8.0


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Sharpness: variance of the Laplacian; colourfulness after Hasler and Suesstrunk 2003 (the M3 measure);
    contrast: standard deviation of brightness, 0 to 255; face area: share of the picture.
    """

    sharpness: float
    colourfulness: float
    contrast: float
    face_area: float
    brightness: float

    @property
    def is_presentable(self) -> bool:
        """Neither black, nor white, nor one flat colour."""
        return DARKEST <= self.brightness <= LIGHTEST and self.contrast >= FLATTEST


def measure(picture: Picture, face_area: float) -> Measures:
    grey: NDArray[np.uint8] = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    return Measures(
        sharpness=round(float(cv2.Laplacian(grey, cv2.CV_32F).var()), 3),
        colourfulness=round(colourfulness(picture), 3),
        contrast=round(float(grey.std()), 3),
        face_area=round(face_area, 4),
        brightness=round(float(grey.mean()), 3),
    )


def colourfulness(picture: Picture) -> float:
    """Hasler and Suesstrunk, "Measuring colourfulness in natural images", 2003: 0 is grey, above 80 vivid."""
    blue, green, red = (picture[:, :, i].astype(np.float32) for i in range(3))
    red_green = red - green
    yellow_blue = 0.5 * (red + green) - blue
    spread = float(np.hypot(red_green.std(), yellow_blue.std()))
    return spread + 0.3 * float(np.hypot(red_green.mean(), yellow_blue.mean()))


def scores(measured: list[Measures]) -> list[float]:
    """A score from 0 to 1 for each picture: the weighted mean of its ranks within this video.

    A picture that is not presentable comes behind all that are.
    """
    if not measured:
        return []
    total = np.zeros(len(measured))
    for name, weight in WEIGHTS.items():
        total += weight * _ranks(np.array([getattr(one, name) for one in measured]))
    return [
        round(float(score if one.is_presentable else 0.1 * score), 4)
        for one, score in zip(measured, total, strict=True)
    ]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the others that each value exceeds, equal ones counting half."""
    if len(values) == 1:
        return np.array([0.5])
    below = (values[:, None] > values[None, :]).sum(axis=1)
    equal = (values[:, None] == values[None, :]).sum(axis=1) - 1
    ranks: NDArray[np.float64] = (below + 0.5 * equal) / (len(values) - 1)
    return ranks
