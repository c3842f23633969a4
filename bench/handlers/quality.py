"""What the results are worth against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import cv2

from bench.handlers.truth import Known, cut_score, heard_in, word_error_rate
from handlers.headlines import load_model
from handlers.video.quality import measure as measure_picture


def judge(known: Known, results: dict[str, Any]) -> dict[str, Any]:
    """Cuts, face presence, word error rate and thumbnails of one sample."""
    faces, captions = results["face_detection"], results["caption_generation"]
    cuts = [scene["start_s"] for scene in results["scene_detection"]["scenes"][1:]]
    return {
        "cuts": cut_score(cuts, known.cuts_s),
        "faces": {
            "sampled": faces["frames_sampled"],
            "with_face": faces["frames_with_face"],
            "expected": _expected(known, faces["frames_sampled"]),
        },
        "captions": {
            "cues": len(captions["cues"]),
            "word_error_rate": round(word_error_rate(known.speech, heard_in(captions)), 3)
            if known.speech
            else None,
        },
        "thumbnails": _thumbnails(results["thumbnail_generation"]["thumbnails"]),
        "hook_score": results["hook_analysis"]["hook_score"],
    }


def headlines() -> dict[str, float]:
    """The metrics that the trained model carries, measured on weeks it had not seen."""
    return load_model().card.metrics


def _expected(known: Known, sampled: int) -> int | None:
    return None if known.faces is None else sampled * known.faces


def _thumbnails(made: list[dict[str, Any]]) -> dict[str, float]:
    """How many there are, and how many of the best three are black, white or flat as stored."""
    pictures = [cv2.imread(_path(one["uri"])) for one in made]
    best = [p for p, one in zip(pictures, made, strict=True) if one["rank"] and one["format"] == "jpeg"]
    return {
        "files": len(made),
        "not_presentable_among_best": sum(not measure_picture(one, 0.0).is_presentable for one in best),
    }


def _path(uri: str) -> str:
    return str(Path(unquote(urlsplit(uri).path)))
