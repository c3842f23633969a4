"""Pictures as arrays: scaling, turning, JPEG and WebP."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
"""Blue, green, red: shape (height, width, 3)."""

#: One job, one core: the pool runs as many children as there are cores to use.
cv2.setNumThreads(1)

#: High enough that faces and motion are found as in the original, low enough for a small scratch folder.
SAMPLE_QUALITY = 90


def scaled_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height, even, with the longer side at most `side` pixels; never larger than given."""
    factor = min(1.0, side / max(width, height))
    return max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2)


def to_bgr(frame: Any, side: int) -> Picture:
    """An `av.VideoFrame` scaled by swscale on its way from YUV: cheaper than converting the whole first."""
    width, height = scaled_size(frame.width, frame.height, side)
    picture: Picture = frame.reformat(width, height, "bgr24", interpolation="AREA").to_ndarray()
    return picture


def rotate(picture: Picture, degrees: int) -> Picture:
    """Turned counter-clockwise by `degrees`, as a phone's recording asks to be shown."""
    turns = round(degrees / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def encode_jpeg(picture: Picture, quality: int = SAMPLE_QUALITY) -> bytes:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be written as JPEG")
    return bytes(data)


def decode_jpeg(data: bytes) -> Picture:
    picture: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cast("Picture", picture)


def write_picture(picture: Picture, kind: Literal["jpeg", "webp"], quality: int = 88) -> bytes:
    """The picture as a progressive JPEG or as WebP, without metadata."""
    image = Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    out = BytesIO()
    if kind == "jpeg":
        image.save(out, "JPEG", quality=quality, progressive=True, optimize=True)
    else:
        image.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
