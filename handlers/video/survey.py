"""One decode for all video tasks: cuts, sampled pictures and sound, gathered in a single pass.

Six tasks look at the same video. The first decodes it and leaves this survey in the scratch folder; the
others, in whichever process, read that (`handlers/video/scratch.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.context import MediaPolicy
from handlers.video.container import VideoInfo, check_size, duration_of, open_container
from handlers.video.cuts import CutFinder
from handlers.video.picture import encode_jpeg, rotate, to_bgr
from handlers.video.refusal import NO_VIDEO, TOO_LONG, UNREADABLE, refuse
from streams.contracts.outcomes import Outcome

#: Longer side of a sampled picture: YuNet found every face of the samples at 640, at 14 ms a picture.
SAMPLE_SIDE = 640
#: About so many pictures are sampled, never more often than 15 nor less than once a second.
SAMPLES = 75
MIN_STEP_S = 1.0 / 15
MAX_STEP_S = 1.0
#: The opening is looked at more closely: eight pictures a second for three seconds.
OPENING_S = 3.0
OPENING_STEP_S = 1.0 / 8
#: What speech recognition takes.
AUDIO_RATE = 16_000
#: Seconds of decoding after which the survey ends with what it has.
MAX_DECODE_S = 90.0


class Sample(msgspec.Struct, frozen=True):
    """A picture at `t` seconds, as JPEG. `regular` ones are evenly spaced, others belong to the opening."""

    t: float
    jpeg: bytes
    regular: bool


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass found. Times are seconds from the first frame; `audio` is 16 kHz mono, 16 bit."""

    info: VideoInfo
    duration_s: float
    frames: int
    cuts_s: list[float]
    samples: list[Sample]
    audio: bytes
    #: Why the pass ended early; None after a whole one.
    partial: str | None = None


def take_survey(path: Path, policy: MediaPolicy) -> Survey:
    """Decodes a file once; raises `Reject` where not even one frame comes out."""
    with open_container(path, policy) as container:
        return _Pass(container, policy).run()


class _Pass:
    """One run through the packets of a container."""

    def __init__(self, container: Any, policy: MediaPolicy) -> None:
        self._container = container
        self._policy = policy
        self._video = container.streams.video[0]
        self._audio = container.streams.audio[0] if container.streams.audio else None
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=AUDIO_RATE)
        self._fps = float(self._video.average_rate or self._video.guessed_rate or 25)
        self._cuts = CutFinder(self._fps)
        said = duration_of(container)
        self._step_s = min(MAX_STEP_S, max(MIN_STEP_S, said / SAMPLES if said else 0.25))
        self._times: list[float] = []
        self._samples: list[Sample] = []
        self._pcm: list[bytes] = []
        self._pcm_bytes = 0
        self._next_regular = 0.0
        self._next_opening = 0.0
        self._shown = (0, 0)
        self._ends_at = time.monotonic() + MAX_DECODE_S

    def run(self) -> Survey:
        partial = None
        try:
            partial = self._decode()
        except Outcome:
            raise
        except Exception as exc:  # a damaged stream raises any type; what came before it counts
            partial = f"damaged after {self._times[-1]:.2f} s" if self._times else None
            if not self._times:
                raise refuse(UNREADABLE, f"no frame can be decoded ({type(exc).__name__})") from exc
        if not self._times:
            raise refuse(NO_VIDEO, "holds no frame")
        return self._survey(partial)

    def _decode(self) -> str | None:
        streams = [self._video] + ([self._audio] if self._audio is not None else [])
        for packet in self._container.demux(streams):
            if time.monotonic() > self._ends_at:
                return f"decoding stopped after {MAX_DECODE_S:g} s"
            for frame in self._frames_of(packet):
                if isinstance(frame, av.VideoFrame):
                    self._see(frame)
                else:
                    self._hear(frame)
        said = duration_of(self._container)
        if said is not None and self._times[-1:] and said - self._times[-1] > max(1.0, 0.1 * said):
            return f"ends at {self._times[-1]:.2f} of {said:.2f} s"
        return None

    def _frames_of(self, packet: Any) -> Iterator[Any]:
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            # One damaged packet: the decoder finds its way at the next key frame.
            return

    def _see(self, frame: Any) -> None:
        check_size(frame.width, frame.height, self._policy)
        index = len(self._times)
        if index >= self._policy.max_frames:
            raise refuse(TOO_LONG, f"more than {self._policy.max_frames} frames")
        start = self._times_start(frame)
        t = max(0.0, float(frame.time) - start) if frame.time is not None else index / self._fps
        if t > self._policy.max_duration_s:
            raise refuse(TOO_LONG, f"longer than {self._policy.max_duration_s:g} s")
        self._times.append(t)
        self._cuts.see(index, frame)
        self._sample(t, frame)

    def _times_start(self, frame: Any) -> float:
        if not self._times:
            self._start = float(frame.time or 0.0)
        return self._start

    def _sample(self, t: float, frame: Any) -> None:
        #: Half a frame of slack, so that rounding of times does not skip one.
        slack = 0.5 / self._fps
        regular = t >= self._next_regular - slack
        opening = t < OPENING_S and t >= self._next_opening - slack
        if not (regular or opening):
            return
        picture = rotate(to_bgr(frame, SAMPLE_SIDE), frame.rotation)
        self._shown = (
            (frame.width, frame.height) if frame.rotation % 180 == 0 else (frame.height, frame.width)
        )
        self._samples.append(Sample(t, encode_jpeg(picture), regular))
        if regular:
            self._next_regular = max(self._next_regular + self._step_s, t + 0.5 * self._step_s)
        if opening:
            self._next_opening = max(self._next_opening + OPENING_STEP_S, t)

    def _hear(self, frame: Any) -> None:
        for part in self._resampler.resample(frame):
            self._keep(part)

    def _keep(self, part: Any) -> None:
        samples: NDArray[np.int16] = part.to_ndarray()
        if self._pcm_bytes + samples.nbytes <= self._policy.max_duration_s * AUDIO_RATE * 2:
            self._pcm.append(samples.tobytes())
            self._pcm_bytes += samples.nbytes

    def _survey(self, partial: str | None) -> Survey:
        context = self._video.codec_context
        width, height = self._shown
        frames = len(self._times)
        tail = 1.0 / self._fps
        return Survey(
            info=VideoInfo(
                width=width,
                height=height,
                fps=round(self._fps, 3),
                duration_s=duration_of(self._container),
                codec=context.name,
                has_audio=self._audio is not None,
            ),
            duration_s=round(self._times[-1] + tail, 3),
            frames=frames,
            cuts_s=[round(self._times[index], 3) for index in self._cuts.finish()],
            samples=self._samples,
            audio=b"".join(self._pcm),
            partial=partial,
        )
