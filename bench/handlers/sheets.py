"""Contact sheets: the first picture of each scene, with the faces found in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handlers import MediaPolicy
from handlers.inputs import VideoInput
from handlers.local_run import local_context
from handlers.video.picture import Picture, decode_jpeg
from handlers.video.scratch import survey_of

WIDTH, COLUMNS = 300, 3
GREEN, WHITE = (80, 220, 80), (255, 255, 255)


def draw(sample: Path, results: dict[str, Any], folder: Path, target: Path) -> None:
    """Writes one JPEG: a picture per scene, its times above it, boxes around the faces."""
    media = MediaPolicy(roots=(str(sample.parent),), scratch_dir=str(folder / "scratch"))
    survey = survey_of(VideoInput(uri=str(sample)), local_context(sample.stem, media=media))
    faces = {one["t"]: one["faces"] for one in results["face_detection"]["detections"]}
    tiles = []
    for scene in results["scene_detection"]["scenes"]:
        inside = [s for s in survey.samples if s.regular and scene["start_s"] <= s.t < scene["end_s"]]
        with_face = [s for s in inside if round(s.t, 3) in faces]
        shown = (with_face or inside)[len(with_face or inside) // 2]
        picture = _boxes(decode_jpeg(shown.jpeg), faces.get(round(shown.t, 3), []))
        label = f"{scene['start_s']:.2f} - {scene['end_s']:.2f} s"
        tiles.append(_tile(picture, label))
    cv2.imwrite(str(target), _grid(tiles), [cv2.IMWRITE_JPEG_QUALITY, 80])


def _boxes(picture: Picture, faces: list[dict[str, Any]]) -> Picture:
    height, width = picture.shape[:2]
    for face in faces:
        left, top, wide, high = face["box_norm"]
        corner = (round(left * width), round(top * height))
        other = (round((left + wide) * width), round((top + high) * height))
        cv2.rectangle(picture, corner, other, GREEN, 2)
    return picture


def _tile(picture: Picture, label: str) -> Picture:
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    small = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA)
    head = np.zeros((22, WIDTH, 3), np.uint8)
    cv2.putText(head, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, WHITE, 1, cv2.LINE_AA)
    return np.vstack([head, small])


def _grid(tiles: list[Picture]) -> Picture:
    blank = np.zeros_like(tiles[0])
    padded = tiles + [blank] * (-len(tiles) % min(COLUMNS, len(tiles)))
    columns = min(COLUMNS, len(tiles))
    rows = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    return np.vstack(rows)
