"""The little Markdown that generated pages are made of."""

from __future__ import annotations

from collections.abc import Sequence


def page(title: str, source: str, intro: str, *parts: str) -> str:
    """A whole page; `source` is the file it is made from."""
    note = f"<!-- Made by `python -m tools.reference` from {source}; change that file, not this one. -->"
    return "\n\n".join([f"# {title}", note, intro.strip(), *(part.strip() for part in parts)]) + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [_row(columns), _row(["---"] * len(columns)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def code(text: object) -> str:
    """A code span; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
