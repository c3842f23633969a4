"""Run by `test_media_fuzz`: broken containers into the survey, in a process that may die of them.

    python fuzz_child.py FOLDER COUNT SEED

Writes how often which end was reached, as JSON. `FOLDER/last` is the input in hand, should the process die.
"""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from handlers import MediaPolicy
from handlers.video.survey import take_survey
from streams.contracts.outcomes import Outcome

MIB = 1024 * 1024
#: A child of the worker's pool has an address space of its own limit, too.
ADDRESS_SPACE = 3072 * MIB
POLICY = MediaPolicy(max_frames=200, max_duration_s=60.0)
CODECS = {"mp4": "libx264", "mov": "mpeg4", "mkv": "libx264", "webm": "libvpx"}


def make_base(path: Path, codec: str) -> bytes:
    """Ten small frames and a bit of sound where the container takes it."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=10)
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        audio = container.add_stream("aac", rate=16_000, layout="mono") if path.suffix != ".webm" else None
        for index in range(10):
            picture = np.full((32, 48, 3), 25 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 16_000, 0
            container.mux(audio.encode(sound))
            container.mux(audio.encode(None))
    return path.read_bytes()


#: Values that containers stumble over: zero, all ones, sign bits, and the names of their own boxes.
MARKS = [
    bytes(4),
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"moov",
    b"mdat",
    b"stsz",
    b"dref",
    b"url ",
    b"\x1a\x45\xdf\xa3",
]
edit = st.tuples(
    st.sampled_from(["set", "set", "set", "mark", "mark", "cut", "repeat", "drop"]),
    st.floats(0, 1),
    st.integers(0, 255),
    st.sampled_from(MARKS),
)


def apply(data: bytes, edits: list) -> bytes:
    broken = bytearray(data)
    for kind, place, value, mark in edits:
        at = int(place * max(0, len(broken) - 1))
        if kind == "set" and broken:
            broken[at] = value
        elif kind == "mark":
            broken[at : at + 4] = mark
        elif kind == "cut":
            del broken[at:]
        elif kind == "repeat":
            broken[at:at] = broken[at : at + value]
        else:
            del broken[at : at + 1 + value // 16]
    return bytes(broken)


def main(folder: Path, count: int, number: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    bases = [make_base(folder / f"base.{name}", codec) for name, codec in CODECS.items()]
    ends: Counter[str] = Counter()
    last = folder / "last"

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(base=st.sampled_from(bases), edits=st.lists(edit, min_size=1, max_size=4))
    def feed(base: bytes, edits: list) -> None:
        last.write_bytes(apply(base, edits))
        try:
            ends["partial" if take_survey(last, POLICY).partial else "whole"] += 1
        except Outcome as exc:
            ends[getattr(exc, "reason", type(exc).__name__)] += 1

    feed()
    sys.stdout.write(json.dumps({"ends": ends, "inputs": ends.total(), "peak_mib": round(peak_mib())}))


def peak_mib() -> float:
    """The most this process held; ru_maxrss, kept across exec, would also count what started it."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
