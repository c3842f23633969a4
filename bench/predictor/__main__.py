"""Measures, draws and writes `docs/benchmarks/predictor.{md,json}`; `--only NAME` measures one log."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from bench.predictor import action_logs, latency, plots, process_logs, report
from bench.predictor.cache_replay import replay_shared, replay_single_use
from bench.predictor.logs import ACTION_LOGS, PROCESS_LOGS, SHARED

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"
_CACHE_THRESHOLDS = (0.1, 0.2, 0.3, 0.5)
#: The plain forest of the baselines takes minutes and gigabytes on the largest log.
_BASELINES = {
    "github": ("prior", "markov1", "markov2", "ngram", "forest"),
    "abb": ("prior", "markov1", "markov2", "ngram"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.predictor", description=__doc__)
    parser.add_argument("--only", action="append", help="github, abb, process or cost; may be repeated")
    chosen = set(parser.parse_args().only or ("github", "abb", "process", "cost"))
    if not SHARED.exists():
        print(f"skipped: the public logs are not at {SHARED}", file=sys.stderr)
        return 0
    DOCS.mkdir(parents=True, exist_ok=True)
    path = DOCS / "predictor.json"
    found: dict[str, Any] = {"action_logs": {}, "process_logs": {}, "cost": {}}
    if path.exists():
        found |= json.loads(path.read_text())
    for name in sorted(chosen & set(ACTION_LOGS), reverse=True):
        found["action_logs"][name] = _action_log(name)
        _write(path, found)
    if "process" in chosen:
        for name, load in PROCESS_LOGS.items():
            found["process_logs"][name] = process_logs.measure(load())
            print(name, found["process_logs"][name], file=sys.stderr)
        _write(path, found)
    if "cost" in chosen:
        found["cost"] = latency.measure(ACTION_LOGS["github"]())
    _write(path, found)
    if found["cost"]:
        (DOCS / "predictor.md").write_text(report.render(found))
    return 0


def _action_log(name: str) -> dict[str, Any]:
    measured = action_logs.measure(ACTION_LOGS[name](), baselines=_BASELINES[name])
    figures = msgspec.to_builtins(measured.figures, str_keys=True)
    asked = measured.questions
    figures["cache"] = {
        "demand": replay_shared(asked, None)._asdict(),
        "shared": [replay_shared(asked, t)._asdict() for t in _CACHE_THRESHOLDS],
        "single": [replay_single_use(asked, t)._asdict() for t in _CACHE_THRESHOLDS],
    }
    plots.draw(name, figures, DOCS)
    print(name, figures["blend"], file=sys.stderr)
    return figures


def _write(path: Path, found: dict[str, Any]) -> None:
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
