"""Cuts in made pictures: fast ones count, flashes and fades do not."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from handlers import MediaPolicy
from handlers.execution import run_handler
from handlers.local_run import local_context
from handlers.registry import load_handlers
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


@pytest.mark.parametrize(
    ("width", "height", "codec", "pixels"),
    [
        (2, 2, "libx264", "yuv420p"),
        (1920, 16, "libx264", "yuv420p"),
        (16, 1920, "libx264", "yuv420p"),
        (64, 48, "ffv1", "gray"),
        (64, 48, "ffv1", "yuv444p10le"),
        (64, 48, "ffv1", "bgra"),
        (64, 48, "libx265", "yuv420p10le"),
    ],
)
def test_odd_shapes_and_pixels_give_answers(
    tmp_path: Path, width: int, height: int, codec: str, pixels: str
) -> None:
    path = tmp_path / "x.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=5)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        for index in range(6):
            picture = np.full((height, width, 3), 40 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = index, Fraction(1, 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    media = MediaPolicy(roots=(str(tmp_path),), scratch_dir=str(tmp_path / "scratch"))
    context = local_context("v1", media=media, artifact_dir=str(tmp_path / "artifacts"))
    registry = load_handlers()
    for task in ("scene_detection", "face_detection", "hook_analysis", "thumbnail_generation"):
        answer = run_handler(registry[task], b'{"uri": "x.mkv"}', context)
        # A number that is not finite would read as null, which the declared type does not take.
        msgspec.json.decode(answer, type=registry[task].result_type)


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    survey = take_survey(write(tmp_path / "x.mp4", [pattern(0)]), MediaPolicy())
    assert (survey.frames, survey.cuts_s) == (1, [])
    assert survey.duration_s > 0
