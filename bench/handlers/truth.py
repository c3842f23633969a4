"""What is known of the sample media, and the measures of how much of it was found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"
#: Seconds within which a found cut is the true one.
TOLERANCE_S = 0.1


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One sample's truth: cuts in seconds, whether every or no picture has a face (None: some), speech."""

    cuts_s: list[float]
    faces: bool | None
    speech: str
    source: str


def known_samples() -> dict[str, Known]:
    """Joins of the composite are exact; cuts of the others were located frame by frame, by eye."""
    composite = json.loads((SAMPLES / "composite_ad.truth.json").read_text())
    cuts = sorted([*composite["cuts_s"], composite["extra_cut_inside_nasa_clip_s"]])
    speech = composite["speech"]
    return {
        "composite_ad.mp4": Known(cuts_s=cuts, faces=None, speech=speech, source="made from the others"),
        "nasa_13013.mp4": Known(cuts_s=[8.08], faces=False, speech=speech, source="NASA, public domain"),
        "asl_help.mkv": Known(cuts_s=[], faces=True, speech="", source="Intel sample videos, CC BY 4.0"),
        "bbb_0_30.webm": Known(
            cuts_s=[11.792, 15.667, 22.958],
            faces=False,
            speech="",
            source="Big Buck Bunny, CC BY 3.0 (c) Blender Foundation",
        ),
    }


def cut_score(found: list[float], true: list[float]) -> dict[str, float]:
    """Precision, recall and F1 of the found cuts; each true one counts once."""
    left = list(true)
    for cut in found:
        near = [one for one in left if abs(one - cut) <= TOLERANCE_S]
        if near:
            left.remove(near[0])
    hits = len(true) - len(left)
    precision = hits / len(found) if found else 1.0
    recall = hits / len(true) if true else 1.0
    both = precision + recall
    return {
        "true": len(true),
        "found": len(found),
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "f1": round(2 * precision * recall / both, 3) if both else 0.0,
    }


def word_error_rate(said: str, heard: str) -> float:
    """Levenshtein distance in words over the number of words said, letter case and marks left out."""
    truth, found = _words(said), _words(heard)
    row = list(range(len(found) + 1))
    for i, word in enumerate(truth, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(found, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1] / len(truth)


def hostile_samples() -> list[Path]:
    return sorted((SAMPLES / "hostile").iterdir())


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def heard_in(captions: dict[str, Any]) -> str:
    return " ".join(cue["text"] for cue in captions["cues"])
