"""How every benchmark reports: rows as a table for people, as JSON for machines and for the documents."""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def calibration_us() -> float:
    """CPU microseconds of a fixed piece of Python: what ratios on other machines are compared by."""
    times = []
    for _ in range(5):
        began = time.process_time()
        total = 0
        for n in range(200_000):
            total += n % 7
        times.append((time.process_time() - began) * 1e6 / 200)
    return statistics.median(times)


def machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "calibration_us": round(calibration_us(), 1),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def write(
    name: str, title: str, command: str, rows: Sequence[dict[str, Any]], *, description: str = ""
) -> None:
    """Prints the rows and writes `docs/benchmarks/{name}.json` and `.md`."""
    write_parts(name, title, command, {"": rows}, description=description)


def write_parts(
    name: str,
    title: str,
    command: str,
    parts: Mapping[str, Sequence[dict[str, Any]]],
    *,
    description: str = "",
    keep: bool = True,
) -> None:
    """The same for several tables, each under its heading; `keep=False` only prints.

    In the JSON each row of a part with a heading names it as `part`.
    """
    facts = machine()
    if keep:
        FOLDER.mkdir(parents=True, exist_ok=True)
        rows = [{**({"part": part} if part else {}), **row} for part, table in parts.items() for row in table]
        (FOLDER / f"{name}.json").write_text(
            json.dumps({"command": command, "machine": facts, "rows": rows}, indent=2) + "\n"
        )
        lines = [
            f"# {title}",
            "",
            *([description, ""] if description else []),
            (
                f"Made by `{command}` on {facts['date']}, Python {facts['python']}, "
                f"{facts['system']}; a fixed loop took {facts['calibration_us']} us of CPU in the same run. "
                "Absolute times are this machine's; the ratios travel better."
            ),
            "",
        ]
        for part, table in parts.items():
            lines += [*([f"## {part}", ""] if part else []), *_markdown(table), ""]
        (FOLDER / f"{name}.md").write_text("\n".join(lines))
        _tell_readme()
    for part, table in parts.items():
        sys.stdout.write(f"\n{part}\n" if part else "")
        _print(_columns(table), table)
    sys.stdout.write(f"a fixed loop took {facts['calibration_us']} us of CPU\n")


def _tell_readme() -> None:
    """README shows some of the figures, and only what the reports say."""
    from bench.index import write_readme  # noqa: PLC0415 (which reads reports, as this module writes them)

    write_readme()


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _markdown(rows: Sequence[dict[str, Any]]) -> list[str]:
    columns = _columns(rows)
    return [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows),
    ]


def _print(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    widths = [max(len(c), *(len(str(row.get(c, ""))) for row in rows)) for c in columns]
    for row in [dict(zip(columns, columns, strict=True)), *rows]:
        cells = [str(row.get(c, "")).ljust(w) for c, w in zip(columns, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
