"""Cuts in made pictures: fast ones count, flashes and fades do not."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from handlers import MediaPolicy
from handlers.video.survey import take_survey

FPS = 25
_SIZE = (180, 320)


def pattern(seed: int) -> np.ndarray:
    """A picture of coarse coloured squares, unlike that of any other seed."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(30, 226, (9, 16, 3), dtype=np.uint8)
    return coarse.repeat(20, axis=0).repeat(20, axis=1)


def write(path: Path, pictures: Iterable[np.ndarray], fps: int = FPS, codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = _SIZE
        stream.pix_fmt = "yuv420p"
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cuts_in(path: Path) -> list[float]:
    return take_survey(path, MediaPolicy()).cuts_s


@pytest.mark.parametrize("fps", [12, 25, 60])
def test_cuts_a_third_of_a_second_apart_are_found(tmp_path: Path, fps: int) -> None:
    length = round(fps * 0.34)
    path = write(tmp_path / "x.mp4", [pattern(i // length) for i in range(8 * length)], fps)
    assert cuts_in(path) == pytest.approx([k * length / fps for k in range(1, 8)], abs=0.5 / fps)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(tmp_path: Path, length: int) -> None:
    white = np.full((*_SIZE, 3), 250, np.uint8)
    pictures = [white if 30 <= i < 30 + length else pattern(i // 60) for i in range(120)]
    assert cuts_in(write(tmp_path / "x.mp4", pictures)) == pytest.approx([2.4], abs=0.02)


def test_fades_are_no_cuts(tmp_path: Path) -> None:
    def fade(i: int) -> np.ndarray:
        share = min(1.0, i / 40)
        return (pattern(0) * share).astype(np.uint8)

    dissolve = [(pattern(0) * (1 - k / 25) + pattern(1) * (k / 25)).astype(np.uint8) for k in range(26)]
    pictures = [*map(fade, range(60)), *dissolve, *([pattern(1)] * 40)]
    assert cuts_in(write(tmp_path / "x.mp4", pictures)) == []


def test_a_still_picture_has_no_cut(tmp_path: Path) -> None:
    assert cuts_in(write(tmp_path / "x.mp4", [pattern(0)] * 50)) == []


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    survey = take_survey(write(tmp_path / "x.mp4", [pattern(0)]), MediaPolicy())
    assert (survey.frames, survey.cuts_s) == (1, [])
    assert survey.duration_s > 0
