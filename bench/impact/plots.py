"""The replay's pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from bench.impact.worlds import World

_COLOURS = ("#9a3412", "#b45309", "#0f766e", "#1d4ed8", "#6d28d9")


def waits(found: Mapping[World, Sequence[float]], path: Path) -> None:
    """How many requests are answered within how many seconds, one line a world."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for (world, values), colour in zip(found.items(), _COLOURS, strict=True):
        ordered = sorted(max(value, 1e-3) for value in values)
        shares = [(number + 1) / len(ordered) for number in range(len(ordered))]
        axes.plot(ordered, shares, label=world.value, color=colour)
    axes.set_xscale("log")
    axes.set_xlabel("seconds until a request is answered")
    axes.set_ylabel("share of requests")
    axes.set_ylim(0, 1)
    _save(figure, axes, path)


def hours(found: Mapping[World, Sequence[float]], path: Path) -> None:
    """CPU seconds by hour of the day, one line a world."""
    figure, axes = plt.subplots(figsize=(7, 3.5))
    for (world, values), colour in zip(found.items(), _COLOURS, strict=True):
        axes.step(range(24), values, where="post", label=world.value, color=colour)
    axes.set_xlabel("hour of the day, UTC")
    axes.set_ylabel("CPU seconds")
    axes.set_ylim(bottom=0)
    _save(figure, axes, path)


def _save(figure: plt.Figure, axes: plt.Axes, path: Path) -> None:
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
