"""The figures of the page on capacity are what the plans and the simulation give today."""

from __future__ import annotations

from tools.capacity.__main__ import generated


def test_making_them_anew_changes_nothing() -> None:
    stale = [path.name for path, text in generated().items() if path.read_text() != text]
    assert stale == [], "run python -m tools.capacity"
