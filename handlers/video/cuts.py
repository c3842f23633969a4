"""Hard cuts: PySceneDetect's adaptive detector, fed frames that are already decoded.

https://www.scenedetect.com/docs/latest/api/detectors.html
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import AdaptiveDetector, FrameTimecode

from handlers.video.picture import to_bgr

#: Frames are compared at this longer side, PySceneDetect's own default for automatic downscaling.
COMPARE_SIDE = 256
#: How many times its neighbourhood's mean a frame's change must be, and how large in itself (0 to 255).
ADAPTIVE_THRESHOLD = 3.0
MIN_CONTENT = 15.0
#: Seconds between cuts: what follows faster is a flash, not a scene.
MIN_SCENE_S = 0.3
#: Mean change of brightness (0 to 255) that a cut brings with it. Where it is almost black, hue and
#: saturation are noise, and a fade looks like a cut: measured fades changed by 2 and 5, cuts by 63 to 109.
MIN_BRIGHTNESS = 8.0
#: A flash is no cut: within so many seconds the picture before it is back, but for this share of the change.
FLASH_S = 0.2
FLASH_RETURN = 0.25
#: Pictures are remembered at this size, to see whether one comes back.
_MEMORY = (32, 18)

DETECTOR = "AdaptiveDetector"
PARAMS: dict[str, float] = {
    "adaptive_threshold": ADAPTIVE_THRESHOLD,
    "min_content_val": MIN_CONTENT,
    "min_brightness": MIN_BRIGHTNESS,
    "min_scene_s": MIN_SCENE_S,
    "flash_s": FLASH_S,
    "side_px": COMPARE_SIDE,
}


class CutFinder:
    """Sees every frame in order and says at which indices a new scene begins."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._detector = AdaptiveDetector(
            adaptive_threshold=ADAPTIVE_THRESHOLD,
            min_content_val=MIN_CONTENT,
            min_scene_len=max(1, round(MIN_SCENE_S * fps)),
        )
        self._cuts: list[int] = []
        self._changes: list[float] = []
        self._last: NDArray[np.uint8] | None = None
        self._memory: list[NDArray[np.uint8]] = []

    def see(self, index: int, frame: Any) -> None:
        picture = to_bgr(frame, COMPARE_SIDE)
        found = self._detector.process_frame(FrameTimecode(index, self._fps), picture)
        self._cuts += [int(cut.frame_num) for cut in found]
        brightness: NDArray[np.uint8] = picture.max(axis=2)
        change = 0.0 if self._last is None else float(cv2.absdiff(brightness, self._last).mean())
        self._changes.append(change)
        self._last = brightness
        small = cv2.resize(brightness, _MEMORY, interpolation=cv2.INTER_AREA)
        self._memory.append(np.asarray(small, np.uint8))

    def finish(self) -> list[int]:
        """The indices of the frames that begin a scene, the first excluded."""
        cuts = sorted(cut for cut in set(self._cuts) if cut and self._changes[cut] >= MIN_BRIGHTNESS)
        return [cut for cut in cuts if not self._is_flash(cut)]

    def _is_flash(self, cut: int) -> bool:
        before = self._memory[cut - 1]
        change = _distance(before, self._memory[cut])
        after = self._memory[cut + 1 : cut + 1 + max(1, round(FLASH_S * self._fps))]
        return any(_distance(before, one) < FLASH_RETURN * change for one in after)


def _distance(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Mean absolute difference, 0 to 255."""
    return float(cv2.absdiff(first, second).mean())
