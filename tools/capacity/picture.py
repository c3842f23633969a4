"""The picture of docs/explanation/capacity.md as SVG, readable on a light and on a dark page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from tools.capacity.figures import LoadPoint, ScalePoint

WIDTH, HEIGHT = 860, 330
_TOP, _BOTTOM = 48, 270
_INK = "#808a99"
_COLOURS = ("#2f81f7", "#d9822b", "#3fa45b")


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """A logarithmic axis from `low` to `high` on the picture's `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]]

    def at(self, value: float) -> float:
        share = math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    colour: str
    points: Sequence[tuple[float, float]]


def draw(scale: Sequence[ScalePoint], loads: Sequence[LoadPoint]) -> str:
    """The whole picture: replicas by rate, and waits by load."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="{_INK}" role="img" aria-label="Replicas by event rate; waits by load">'
    )
    return "\n".join([head, *_replicas(scale), *_waits(loads), "</svg>"]) + "\n"


def _replicas(points: Sequence[ScalePoint]) -> list[str]:
    across = Axis(
        low=1e3,
        high=1e6,
        start=60,
        end=390,
        ticks=[(1e3, "1 k"), (1e4, "10 k"), (1e5, "100 k"), (1e6, "1 M")],
    )
    up = Axis(low=1, high=1e5, start=_BOTTOM, end=_TOP, ticks=[(10.0**n, f"{10**n:,}") for n in range(6)])

    def replicas(role: str) -> Callable[[ScalePoint], float]:
        return lambda point: point.plan.role(role).replicas

    lines = [
        Line(name=role, colour=colour, points=[(p.events_per_s, replicas(role)(p)) for p in points])
        for role, colour in zip(("streams", "worker", "api"), _COLOURS, strict=True)
    ]
    return _panel(
        "Replicas by events/s, mean of a day whose peak is twice that", across, up, lines, "events/s"
    )


def _waits(points: Sequence[LoadPoint]) -> list[str]:
    across = Axis(
        low=points[0].load,
        high=points[-1].load,
        start=490,
        end=810,
        ticks=[(0.5, "50 %"), (0.7, "70 %"), (1.0, "100 %"), (1.2, "120 %"), (1.5, "150 %")],
    )
    up = Axis(
        low=0.01,
        high=200,
        start=_BOTTOM,
        end=_TOP,
        ticks=[(0.01, "10 ms"), (0.1, "0.1 s"), (1, "1 s"), (10, "10 s"), (100, "100 s")],
    )
    lines = [
        Line(name="uploads", colour=_COLOURS[0], points=[(p.load, p.upload_s) for p in points]),
        Line(name="logins", colour=_COLOURS[1], points=[(p.load, p.login_s) for p in points]),
    ]
    return _panel("95 % wait less, by load over the planned peak", across, up, lines, "load")


def _panel(title: str, across: Axis, up: Axis, lines: Sequence[Line], below: str) -> list[str]:
    parts = [f'<text x="{across.start}" y="20" font-weight="bold">{title}</text>']
    for value, text in up.ticks:
        y = up.at(value)
        parts += [
            f'<path d="M{across.start} {y}H{across.end}" stroke="{_INK}" stroke-opacity="0.25"/>',
            f'<text x="{across.start - 6}" y="{y + 4}" text-anchor="end">{text}</text>',
        ]
    for value, text in across.ticks:
        parts.append(f'<text x="{across.at(value)}" y="{_BOTTOM + 18}" text-anchor="middle">{text}</text>')
    middle = (across.start + across.end) / 2
    parts.append(f'<text x="{middle}" y="{_BOTTOM + 36}" text-anchor="middle">{below}</text>')
    for number, line in enumerate(lines):
        places = [(across.at(x), up.at(y)) for x, y in line.points]
        path = "L".join(f"{x} {y}" for x, y in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{line.colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{line.colour}"/>' for x, y in places]
        y = 38 + 16 * number
        parts.append(f'<text x="{across.start + 8}" y="{y + 8}" fill="{line.colour}">{line.name}</text>')
    return parts
