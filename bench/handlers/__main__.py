"""Measures, draws and writes `docs/benchmarks/handlers.{md,json}` and its contact sheets."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.handlers import quality, report, sheets
from bench.handlers.measure import measure
from bench.handlers.truth import SAMPLES, Known, hostile_samples, known_samples

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"


def main() -> int:
    argparse.ArgumentParser(prog="python -m bench.handlers", description=__doc__).parse_args()
    if not SAMPLES.is_dir():
        print(f"skipped: the sample media are not at {SAMPLES}", file=sys.stderr)
        return 0
    DOCS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="precompute-bench-") as folder:
        found = {
            "samples": {name: _sample(name, known, Path(folder)) for name, known in known_samples().items()},
            "hostile": {path.name: _hostile(path, Path(folder)) for path in hostile_samples()},
            "headlines": quality.headlines(),
        }
    (DOCS / "handlers.json").write_text(json.dumps(found, indent=1) + "\n")
    (DOCS / "handlers.md").write_text(report.page(found))
    print(report.page(found))
    return 0


def _sample(name: str, known: Known, folder: Path) -> dict[str, Any]:
    measured = measure(SAMPLES / name, folder)
    sheet = f"handlers-{Path(name).stem}.jpg"
    sheets.draw(SAMPLES / name, measured["results"], folder, DOCS / sheet)
    return {
        "duration_s": measured["results"]["scene_detection"]["duration_s"],
        "quality": quality.judge(known, measured["results"]),
        "costs": measured["costs"],
        "peak_mib": measured["peak_mib"],
        "sheet": sheet,
    }


def _hostile(path: Path, folder: Path) -> dict[str, Any]:
    measured = measure(path, folder)
    return {"costs": measured["costs"], "peak_mib": measured["peak_mib"]}


if __name__ == "__main__":
    sys.exit(main())
