"""The report's figures as SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

mpl.use("svg")
# Without the salt the ids in the files would differ from run to run.
mpl.rcParams.update({"svg.hashsalt": "precompute", "font.size": 9, "axes.spines.top": False})

_BLUE, _GREY, _ORANGE = "#1f5fa8", "#8a8f98", "#c8641b"


def draw(name: str, figures: dict[str, Any], folder: Path) -> list[Path]:
    """Reliability, precision against coverage, and the cache's hits against its work."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {"reliability": _reliability, "thresholds": _thresholds, "cache": _cache}
    return [_save(plot, figures, folder / f"predictor-{name}-{kind}.svg") for kind, plot in plots.items()]


def _save(plot, figures: dict[str, Any], path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(4.6, 3.4))
    plot(axes, figures)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


def _reliability(axes, figures: dict[str, Any]) -> None:
    bins = figures["reliability"]
    axes.plot([0, 1], [0, 1], color=_GREY, lw=1, ls="--", label="perfect")
    axes.plot(
        [b["confidence"] for b in bins], [b["accuracy"] for b in bins], "o-", color=_BLUE, label="blend"
    )
    total = sum(b["count"] for b in bins)
    axes.bar(
        [b["confidence"] for b in bins],
        [b["count"] / total for b in bins],
        width=0.03,
        color=_GREY,
        alpha=0.5,
        label="share of predictions",
    )
    axes.set(xlabel="probability of the top outcome", ylabel="share that came", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False)


def _thresholds(axes, figures: dict[str, Any]) -> None:
    rows = [row for row in figures["thresholds"] if row[1] is not None]
    axes.plot([r[0] for r in rows], [r[1] for r in rows], "o-", color=_BLUE, label="precision")
    axes.plot([r[0] for r in rows], [r[2] for r in rows], "s-", color=_ORANGE, label="coverage")
    axes.set(xlabel="acted on above this probability", ylabel="share", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False)


def _cache(axes, figures: dict[str, Any]) -> None:
    rows = figures["cache"]["shared"]
    demand = figures["cache"]["demand"]
    axes.plot(
        [r["per_request"] for r in rows], [r["hit"] for r in rows], "o-", color=_BLUE, label="predicting"
    )
    for row in rows:
        axes.annotate(
            f"p > {row['threshold']}", (row["per_request"], row["hit"]), (4, -9), textcoords="offset points"
        )
    axes.axhline(demand["hit"], color=_GREY, ls="--", lw=1, label="on demand only")
    axes.set(xlabel="precomputations per request", ylabel="hit rate", ylim=(0, 1))
    axes.legend(frameon=False, loc="lower right")
