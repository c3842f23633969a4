"""A short real video to try things on: moving pictures, hard cuts at known times, a tune.

Its bytes are always the same; nobody speaks in it and nobody is seen. Needs `av` and `numpy`, which
the extras local and video bring.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 1280, 720, 25
#: Pictures are drawn at a quarter of the size and scaled by swscale: drawing would take the most time.
DRAWN_WIDTH, DRAWN_HEIGHT = WIDTH // 4, HEIGHT // 4
AUDIO_RATE = 44_100
#: Where the scenes begin, as shares of the whole.
BEGINNINGS = (0.0, 0.215, 0.43, 0.66, 0.85)

Picture = NDArray[np.uint8]
Plane = NDArray[np.floating[Any]]


class ClipTruth(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the clip. `cuts_s` are the times of the first frames after each cut."""

    path: str
    duration_s: float
    fps: int
    width: int
    height: int
    cuts_s: list[float]
    has_speech: bool = False
    faces: int = 0


def make_clip(path: Path, seconds: int = 12) -> ClipTruth:
    """Writes an mp4 (H.264 and AAC, 1280x720) of so many seconds, at least 6, and says what is in it."""
    if seconds < 6:
        raise ValueError("the clip's five scenes take at least 6 seconds")
    frames = seconds * FPS
    starts = [round(share * frames) for share in BEGINNINGS]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = _video_stream(container)
        audio = container.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        for index in range(frames):
            _write(container, video, _frame(index, starts))
        _write(container, video, None)
        for frame in _sound(seconds):
            _write(container, audio, frame)
        _write(container, audio, None)
    return ClipTruth(
        path=str(path),
        duration_s=float(seconds),
        fps=FPS,
        width=WIDTH,
        height=HEIGHT,
        cuts_s=[start / FPS for start in starts[1:]],
    )


def _video_stream(container: Any) -> Any:
    stream = container.add_stream("libx264", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    # One thread: the bytes must not depend on the machine.
    stream.options = {"preset": "ultrafast", "crf": "26", "threads": "1", "g": "50"}
    return stream


def _write(container: Any, stream: Any, frame: Any) -> None:
    for packet in stream.encode(frame):
        container.mux(packet)


def _frame(index: int, starts: list[int]) -> Any:
    scene = max(i for i, start in enumerate(starts) if start <= index)
    seconds = (index - starts[scene]) / FPS
    frame = av.VideoFrame.from_ndarray(_SCENES[scene](seconds), format="rgb24")
    scaled = frame.reformat(WIDTH, HEIGHT, "yuv420p", interpolation="BILINEAR")
    scaled.pts, scaled.time_base = index, Fraction(1, FPS)
    return scaled


def _grid() -> tuple[Plane, Plane]:
    """Coordinates from -1 to 1 down, and in the same unit across."""
    y, x = np.mgrid[0:DRAWN_HEIGHT, 0:DRAWN_WIDTH].astype(np.float32)
    return (2 * y / DRAWN_HEIGHT - 1), (2 * x - DRAWN_WIDTH) / DRAWN_HEIGHT


_Y, _X = _grid()


def _mix(share: Plane, low: tuple[int, int, int], high: tuple[int, int, int]) -> Picture:
    """Two colours mixed by `share`, from 0 to 1."""
    part = np.clip(share, 0, 1)[:, :, None]
    mixed = np.array(low, np.float32) * (1 - part) + np.array(high, np.float32) * part
    return mixed.astype(np.uint8)


def _paint(picture: Picture, where: NDArray[np.bool_], colour: tuple[int, int, int]) -> Picture:
    picture[where] = colour
    return picture


def _sunrise(t: float) -> Picture:
    sky = _mix((_Y + 1) / 2, (20, 40, 110), (250, 150, 60))
    sun = _X**2 + (_Y - 0.5 + 0.15 * t) ** 2 < 0.09
    ridge = 0.55 + 0.15 * np.sin(2 * _X + 0.2 * t)
    return _paint(_paint(sky, sun, (255, 235, 140)), ridge < _Y, (20, 70, 40))


def _rings(t: float) -> Picture:
    return _mix(0.5 + 0.5 * np.sin(9 * np.hypot(_X, _Y) - 1.5 * t), (240, 240, 235), (30, 140, 150))


def _bars(t: float) -> Picture:
    lit = np.sin(4 * (_X + 0.25 * _Y) + 0.8 * t) > 0
    return _paint(_mix((_X + 2) / 4, (60, 10, 60), (140, 20, 80)), lit, (90, 20, 100))


def _ball(t: float) -> Picture:
    ground = _mix((_Y + 1) / 2, (235, 225, 120), (200, 120, 40))
    x, y = -1.2 + 0.9 * t, 0.5 - 0.8 * abs(np.sin(2 * t))
    shadow = ((_X - x) / 0.3) ** 2 + ((_Y - 0.8) / 0.06) ** 2 < 1
    ball = (_X - x) ** 2 + (_Y - y) ** 2 < 0.05
    return _paint(_paint(ground, shadow, (150, 90, 30)), ball, (200, 30, 40))


def _night(t: float) -> Picture:
    sky = _mix((_Y + 1) / 2, (5, 8, 30), (25, 35, 80))
    stars = (np.sin(37 * _X + 0.3 * t) * np.sin(41 * _Y)) > 0.985
    moon = (_X - 0.7 + 0.1 * t) ** 2 + (_Y + 0.4) ** 2 < 0.05
    return _paint(_paint(sky, stars, (230, 230, 255)), moon, (240, 240, 220))


_SCENES: tuple[Callable[[float], Picture], ...] = (_sunrise, _rings, _bars, _ball, _night)

#: A pentatonic tune, in hertz, two notes a second.
_NOTES = (261.6, 329.6, 392.0, 440.0, 392.0, 329.6, 293.7, 261.6)


def _sound(seconds: int) -> list[Any]:
    t = np.arange(seconds * AUDIO_RATE) / AUDIO_RATE
    step = (t * 2).astype(int)
    pitch = np.array(_NOTES)[step % len(_NOTES)]
    within = t * 2 - step
    wave = np.sin(2 * np.pi * pitch * (t - step / 2)) * np.exp(-3 * within) * np.minimum(1, within * 50)
    samples = (wave * 9000).astype(np.int16)
    frames = []
    for start in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE, start, Fraction(1, AUDIO_RATE)
        frames.append(frame)
    return frames
