"""The measurements as a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.handlers.measure import TASKS
from bench.handlers.truth import known_samples

_HEAD = """\
# The handlers, measured

`python -m bench.handlers` writes this page. Each sample's six video tasks run in one fresh process, as in a
worker's child, and share one decode. CPU seconds are the process's own; on a machine with other work they
vary by a third. The truth of the composite is exact; cuts of the others were located frame by frame, by eye.
"""

_TAIL = """\
A hook score and a thumbnail score order what they are given and were fitted to nothing. Click rates and
returns are fitted per account at run time; their intervals state how often they held on that account's
own past.

Pictures: ASL clip (c) Intel, CC BY 4.0; Big Buck Bunny (c) Blender Foundation, CC BY 3.0; NASA, not
copyrighted.
"""


def page(found: dict[str, Any]) -> str:
    samples = found["samples"]
    parts = [
        _HEAD,
        "## Found against the truth\n",
        _table(
            (
                "sample",
                "cuts true / found",
                "F1",
                "pictures with a face",
                "expected",
                "cues",
                "WER",
                "thumbnails",
                "black or flat among the best",
            ),
            map(_quality_row, samples.items()),
        ),
        "## Cost\n",
        _table(
            ("sample", "length s", *TASKS, "all CPU s", "times real time", "peak MiB"),
            map(_cost_row, samples.items()),
        ),
        "## Headlines\n",
        _headlines(found["headlines"]),
        "## Hostile files\n",
        _table(("file", "end", "CPU s", "peak MiB"), map(_hostile_row, found["hostile"].items())),
        "## What was found\n",
        *(
            f"{name} ({known_samples()[name].source})\n\n![{name}]({one['sheet']})\n"
            for name, one in samples.items()
        ),
        _TAIL,
    ]
    return "\n".join(parts)


def _quality_row(item: tuple[str, dict[str, Any]]) -> tuple[Any, ...]:
    name, one = item
    judged = one["quality"]
    faces, cuts = judged["faces"], judged["cuts"]
    expected = "some" if faces["expected"] is None else faces["expected"]
    rate = judged["captions"]["word_error_rate"]
    return (
        name,
        f"{cuts['true']} / {cuts['found']}",
        cuts["f1"],
        f"{faces['with_face']} of {faces['sampled']}",
        expected,
        judged["captions"]["cues"],
        "-" if rate is None else f"{100 * rate:.1f} %",
        judged["thumbnails"]["files"],
        judged["thumbnails"]["not_presentable_among_best"],
    )


def _cost_row(item: tuple[str, dict[str, Any]]) -> tuple[Any, ...]:
    name, one = item
    cpu = [one["costs"][task]["cpu_s"] for task in TASKS]
    return (
        name,
        f"{one['duration_s']:.1f}",
        *(f"{value:.2f}" for value in cpu),
        f"{sum(cpu):.2f}",
        f"{one['duration_s'] / sum(cpu):.1f}",
        one["peak_mib"],
    )


def _hostile_row(item: tuple[str, dict[str, Any]]) -> tuple[Any, ...]:
    name, one = item
    cpu = sum(one["costs"][task]["cpu_s"] for task in TASKS)
    return name, one["costs"].get("reason", "a partial result"), f"{cpu:.2f}", one["peak_mib"]


def _headlines(metrics: dict[str, float]) -> str:
    return (
        f"Trained on earlier weeks of the Upworthy archive, measured on {metrics['pairs']:.0f} pairs of "
        f"later weeks that share an image: AUC {metrics['auc_same_image']:.3f}; on the "
        f"{metrics['pairs_distinguishable']:.0f} pairs whose difference is statistically significant "
        f"{metrics['auc_distinguishable']:.3f}.\n"
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
