"""`python -m tools.dashboards` writes the dashboards into the chart, which ships them."""

from __future__ import annotations

from pathlib import Path

from tools.dashboards import capacity, pipeline, predictor, users

FOLDER = Path(__file__).resolve().parents[2] / "charts" / "precompute" / "dashboards"
BOARDS = (users.BOARD, pipeline.BOARD, predictor.BOARD, capacity.BOARD)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for board in BOARDS:
        (FOLDER / f"{board.name}.json").write_text(board.to_json())
        print(f"wrote {board.name}")


if __name__ == "__main__":
    main()
