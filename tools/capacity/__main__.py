"""`python -m tools.capacity`: writes the picture and the table of docs/explanation/capacity.md anew."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.capacity.figures import COLUMNS, ScalePoint, load_points, scale_points
from tools.capacity.picture import draw

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "explanation" / "capacity.md"
PICTURE = DOCS / "images" / "capacity.svg"
BEGIN, END = "<!-- figures: made by python -m tools.capacity -->\n", "<!-- end of figures -->"


def table(points: list[ScalePoint]) -> str:
    rows = [list(COLUMNS), ["---:"] * len(COLUMNS), *(point.row() for point in points)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def generated() -> dict[Path, str]:
    """What page and picture must hold."""
    points = scale_points()
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return {PAGE: f"{before}{BEGIN}{table(points)}{END}{after}", PICTURE: draw(points, load_points())}


def main() -> int:
    for path, text in generated().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
