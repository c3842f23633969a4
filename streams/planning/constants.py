"""What one event, job, answer and user cost: each figure with the place in docs/benchmarks it comes from.

A test compares every one with its file, within its factor: a benchmark that moved further moves it here too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.tasks import PrecomputeTaskType

#: A step into a benchmark's JSON: a name, "*" for the mean over all, or the fields of the row meant.
Step = str | Mapping[str, str]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of a benchmark. `scale` turns the file's unit into this one's; `factor` is how far apart
    the two may lie before a test fails.
    """

    value: float
    unit: str
    file: str
    steps: tuple[Step, ...]
    scale: float = 1.0
    factor: float = 2.0

    def read(self, folder: Path) -> float:
        """The figure as the benchmark's file has it now; `ConfigurationError` where it is not there."""
        found = _follow(json.loads((folder / self.file).read_text()), self.steps)
        if found is None:
            raise ConfigurationError(f"{self.file} has no {self.steps}: run its benchmark again")
        return found * self.scale


def _follow(value: Any, steps: tuple[Step, ...]) -> float | None:
    if not steps:
        return float(value)
    first, rest = steps[0], steps[1:]
    if first == "*":
        found = [one for part in value.values() if (one := _follow(part, rest)) is not None]
        return sum(found) / len(found) if found else None
    if isinstance(first, str):
        return _follow(value[first], rest) if first in value else None
    rows = (row for row in value if all(row.get(name) == wanted for name, wanted in first.items()))
    return next((_follow(row, rest) for row in rows), None)


def _line(value: float, unit: str, what: str, field: str, scale: float) -> Measured:
    return Measured(
        value=value, unit=unit, file="line.json", steps=("rows", {"what": what}, field), scale=scale
    )


def _row(value: float, unit: str, part: str, named: Mapping[str, str], field: str) -> Measured:
    steps = ("rows", {"part": part, **named}, field)
    return Measured(value=value, unit=unit, file="capacity.json", steps=steps)


MEGA = 1e6
MIB = 2.0**20
GIB = 2.0**30

_EVENT = "event with prediction (history, prediction, mirror)"

EVENT_CPU_S = _line(62e-6, "CPU s an event", _EVENT, "cpu_us", 1e-6)
JOB_CPU_S = _line(43e-6, "CPU s a job around its handler", "no-op job", "cpu_us", 1e-6)
STREAMS_BYTES = _line(163 * MEGA, "bytes a process", _EVENT, "rss_mb", MEGA)
WORKER_BYTES = _line(99 * MEGA, "bytes a process, without its children", "no-op job", "rss_mb", MEGA)
API_BYTES = _line(90 * MEGA, "bytes a process", "api", "rss_mb", MEGA)

_HITS = {"part": "The API", "what": "a hit, as many as it can"}
API_READS_PER_S = Measured(
    value=4981, unit="reads/s of a process", file="read.json", steps=("rows", _HITS, "requests/s")
)
API_CORES = Measured(value=1.0, unit="cores at that rate", file="read.json", steps=("rows", _HITS, "cores"))

#: The largest of the files measured is 323; their mean is what a checked constant can follow.
CHILD_BYTES = Measured(
    value=275 * MIB,
    unit="peak bytes of a child that decodes video",
    file="handlers.json",
    steps=("samples", "*", "peak_mib"),
    scale=MIB,
)

STREAMS_BYTES_PER_USER = Measured(
    value=22_500,
    unit="bytes of the tables for a user with ten actions and an account",
    file="capacity.json",
    steps=("rows", {"part": "Records", "what": "memory of streams for a user"}, "bytes"),
    # Resident memory grows by whole arenas.
    factor=3.0,
)
JOB_RECORD_BYTES = Measured(
    value=4227,
    unit="bytes of a job as JSON, with the data of its event",
    file="capacity.json",
    steps=("rows", {"part": "Records", "what": "a job of a login, as JSON"}, "bytes"),
)
EVENT_RECORD_BYTES = _row(
    487, "bytes an event on disk", "Kafka", {"topic": "events.users"}, "bytes_per_record"
)

#: Redis, each counted with its key, its object's head and its place in the sets that list it.
ANSWER_BYTES = _row(1507, "bytes an answer", "Redis", {"kind": "result"}, "bytes_per_user")
INDEX_BYTES = _row(95, "bytes an answer in its index", "Redis", {"kind": "index"}, "bytes_per_user")
UNREAD_BYTES = _row(95, "bytes an unread answer", "Redis", {"kind": "unread"}, "bytes_per_user")
TIMELINE_BYTES = _row(772, "bytes a job's timeline", "Redis", {"kind": "{ledger}:job"}, "bytes_per_user")
LISTED_BYTES = _row(96, "bytes a listed job", "Redis", {"kind": "{ledger}:completed"}, "bytes_per_user")
INPUT_BYTES = _row(3924, "bytes the inputs of a user", "Redis", {"kind": "input"}, "bytes_per_user")
HISTORY_BYTES = _row(217, "bytes a user's history", "Redis", {"kind": "history"}, "bytes_per_user")
PREDICTIONS_BYTES = _row(
    758, "bytes a user's predictions", "Redis", {"kind": "predictions"}, "bytes_per_user"
)


def _video(task: PrecomputeTaskType, value: float) -> Measured:
    steps = ("samples", "*", "costs", str(task), "cpu_s")
    return Measured(value=value, unit="CPU s a job", file="handlers.json", steps=steps)


def _small(task: PrecomputeTaskType, value: float) -> Measured:
    steps: tuple[Step, ...] = ("rows", {"part": "Handlers", "task": str(task)}, "cpu_s")
    # Fractions of a millisecond: what else the machine does shows.
    return Measured(value=value, unit="CPU s a job", file="capacity.json", steps=steps, factor=5.0)


_T = PrecomputeTaskType

#: CPU seconds of each built-in handler; those of video are means over clips of 2 to 30 s.
HANDLER_CPU_S: Mapping[str, Measured] = {
    _T.SCENE_DETECTION: _video(_T.SCENE_DETECTION, 1.52),
    _T.FACE_DETECTION: _video(_T.FACE_DETECTION, 0.83),
    _T.HOOK_ANALYSIS: _video(_T.HOOK_ANALYSIS, 0.13),
    _T.THUMBNAIL_GENERATION: _video(_T.THUMBNAIL_GENERATION, 0.49),
    _T.CAPTION_GENERATION: _video(_T.CAPTION_GENERATION, 0.75),
    _T.CTR_PREDICTION: _video(_T.CTR_PREDICTION, 0.001),
    _T.VARIANT_GENERATION: _small(_T.VARIANT_GENERATION, 0.0001),
    _T.VARIANT_SCORING: _small(_T.VARIANT_SCORING, 0.003),
    _T.ROAS_PREDICTION: _small(_T.ROAS_PREDICTION, 0.007),
    _T.DASHBOARD_DATA: _small(_T.DASHBOARD_DATA, 0.0005),
    _T.CAMPAIGN_ANALYTICS: _small(_T.CAMPAIGN_ANALYTICS, 0.0005),
}

#: Handlers that run in the worker's own event loop; all others take a child process.
IO_TASKS = frozenset({_T.VARIANT_GENERATION, _T.DASHBOARD_DATA, _T.CAMPAIGN_ANALYTICS})

#: Spread of a handler's time: standard deviation over mean. Of scene detection over the clips measured: 0.65.
SERVICE_CV = 0.7


def all_measured() -> Mapping[str, Measured]:
    """Every figure by its name."""
    found = {name: value for name, value in globals().items() if isinstance(value, Measured)}
    return found | {f"HANDLER_CPU_S[{task}]": value for task, value in HANDLER_CPU_S.items()}
