"""Opening a video file with the decoder's doors shut: known formats, no other file, no network, no giants.

FFmpeg follows references: a playlist disguised as .mp4 reads its neighbours, a path may be a URL. So it is
given an open file instead of a name, a list of formats, and no protocol at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import msgspec

from handlers.context import MediaPolicy
from handlers.video.location import open_regular
from handlers.video.refusal import NO_VIDEO, TOO_LARGE, TOO_LONG, UNREADABLE, refuse
from streams.contracts.outcomes import Outcome

#: Containers read, in FFmpeg's names of their demuxers.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
#: An advertisement has a picture, a sound and perhaps subtitles in some languages.
MAX_STREAMS = 64
_OPTIONS = {
    "protocol_whitelist": "none",
    "format_whitelist": FORMATS,
    "max_streams": str(MAX_STREAMS),
    "enable_drefs": "0",
}

# A warning of the decoder about each damaged frame is nothing a log should hold.
av.logging.set_level(av.logging.PANIC)


class VideoInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a container says of itself. Sizes in pixels as shown (after rotation), times in seconds."""

    width: int
    height: int
    fps: float
    duration_s: float | None
    codec: str
    has_audio: bool


@contextmanager
def open_container(path: Path, policy: MediaPolicy) -> Iterator[Any]:
    """An `av` input container whose first video stream keeps the policy; raises `Reject` otherwise."""
    with open_regular(path) as file:
        container = _open(file, policy)
        try:
            check_streams(container, policy)
            yield container
        except Outcome:
            raise
        except (OSError, ValueError, ArithmeticError) as exc:
            raise refuse(UNREADABLE, f"cannot be decoded: {type(exc).__name__}") from exc
        finally:
            container.close()


def _open(file: Any, policy: MediaPolicy) -> Any:
    # Opening already decodes a frame or two, to learn what the header does not say.
    options = _OPTIONS | {"max_pixels": str(policy.max_pixels)}
    try:
        return av.open(file, metadata_errors="replace", options=options)
    except Exception as exc:  # a damaged header raises any of a dozen types
        raise refuse(UNREADABLE, f"not a readable mp4, mov, mkv or webm ({type(exc).__name__})") from exc


def check_streams(container: Any, policy: MediaPolicy) -> None:
    """Raises `Reject` where the streams are not those of a video within the policy."""
    if not container.streams.video:
        raise refuse(NO_VIDEO, "has no video stream")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None:
        raise refuse(UNREADABLE, "no decoder for its video stream")
    check_size(context.width, context.height, policy)
    fps = float(stream.average_rate or 0)
    if fps > policy.max_fps:
        raise refuse(TOO_LARGE, f"{fps:g} frames a second; at most {policy.max_fps:g} are read")
    seconds = duration_of(container)
    if seconds is not None and seconds > policy.max_duration_s:
        raise refuse(TOO_LONG, f"{seconds:.0f} s long; at most {policy.max_duration_s:g} are read")
    if stream.frames > policy.max_frames:
        raise refuse(TOO_LONG, f"{stream.frames} frames; at most {policy.max_frames} are read")
    # libavcodec refuses by itself to allocate a larger picture that comes later in the stream.
    context.options = {"max_pixels": str(policy.max_pixels)}
    context.thread_count = 1


def check_size(width: int, height: int, policy: MediaPolicy) -> None:
    """Raises `Reject` for a picture larger than the policy's, in pixels."""
    if max(width, height) > policy.max_side or width * height > policy.max_pixels:
        raise refuse(TOO_LARGE, f"{width}x{height}; at most {policy.max_pixels} pixels are read")


def duration_of(container: Any) -> float | None:
    """Seconds, as the container says; None where it does not."""
    if container.duration is None or container.duration <= 0:
        return None
    return float(container.duration) / float(av.time_base)
