"""The figures that README and the index show, each by the report and the row that it stands in."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec

from bench.published import rows
from bench.report import FOLDER


class Headline(msgspec.Struct, frozen=True):
    """`figure` is text made of what `docs/benchmarks/{report}.json` says, and of nothing else."""

    what: str
    figure: str
    report: str


class _NotMeasuredError(LookupError):
    """The report, or the row, is not there."""


def headlines() -> list[Headline]:
    """Those whose reports are there, in the order of the README."""
    found = []
    for what, report, show in _HEADLINES:
        try:
            found.append(Headline(what, show(), report))
        except _NotMeasuredError:
            continue
    return found


def table() -> list[str]:
    """Markdown lines with the date and the command of each figure's report."""
    lines = ["| what | measured | by |", "|---|---|---|"]
    for one in headlines():
        command, date = _made(one.report)
        lines.append(
            f"| {one.what} | {one.figure} | [`{command}`](docs/benchmarks/{one.report}.md), {date} |"
        )
    return lines


def _made(report: str) -> tuple[str, str]:
    """A report's command and date; reports of other forms have neither."""
    document = json.loads((FOLDER / f"{report}.json").read_text())
    return str(document.get("command", f"make bench-{report}")), str(
        document.get("machine", {}).get("date", "")
    )


def _row(report: str, **where: str) -> dict[str, object]:
    """The first row whose values begin so: a version stands behind a peer's name."""
    for row in rows(report):
        if all(str(row.get(key, "")).startswith(value) for key, value in where.items()):
            return row
    raise _NotMeasuredError(report, where)


def _value(report: str, column: str, **where: str) -> object:
    row = _row(report, **where)
    if column not in row:
        raise _NotMeasuredError(report, column)
    return row[column]


def _ingest() -> str:
    def us(system: str) -> object:
        return _value("ingest", "cpu us/event", system=system)

    others = f"Quix {us('Quix')}, plain Faust {us('Faust')}"
    return f"{us('ours')} us of CPU ({us('ours, with')} us with prediction); {others}"


def _worker() -> str:
    def us(system: str) -> object:
        return _value("worker", "cpu us/job", system=system)

    peers = ", ".join(f"{name} {us(name)}" for name in ("Celery", "Dramatiq", "taskiq", "arq"))
    ours = f"{us('ours')} us of CPU ({us('ours, 256')} with 256 slots, {us('ours, batches')} in batches)"
    return f"{ours}; {peers}"


def _urgent() -> str:
    def ms(system: str) -> object:
        return _value("worker", "backlog p50 ms", system=system, part="An urgent job")

    idle = _value("worker", "idle p50 ms", system="ours", part="An urgent job")
    return f"{ms('ours')} ms ({idle} ms idle); in one topic without priorities {ms('one topic')} ms"


def _read() -> str:
    def us(what: str) -> object:
        return _value("read", "us", what=what)

    http = _value("read", "p50 ms", what="a hit, at")
    near, far = us("ours, from memory"), us("ours, from Redis")
    return f"{near} us from memory, {far} us from Redis, {http} ms over HTTP"


def _line() -> str:
    return f"{_value('line', 'p50_ms', what='event published to six jobs')} ms"


_WEIGHED = "weighed triggers + predictor"


def _world(world: str, column: str) -> str:
    return str(_value("impact", column, part="Worlds", world=world))


def _hits() -> str:
    ours, demand = _world("triggers + predictor", "hit %"), _world("demand-only", "hit %")
    events = _world("triggers + predictor", "event-triggered hit %")
    weighed = _world(_WEIGHED, "hit %")
    return (
        f"{ours} % ({events} % of what an event had asked for); with triggers weighed by use {weighed} %, "
        f"with a demand-only cache {demand} %"
    )


def _waits() -> str:
    ours, demand, none = (
        f"{_world(world, 'request p50 s')} / {_world(world, 'request p95 s')} s"
        for world in ("triggers + predictor", "demand-only", "no cache")
    )
    return f"{ours}; a demand-only cache {demand}, no cache {none}"


def _spent() -> str:
    cpu = _world("triggers + predictor", "CPU, times no cache")
    demand = _world("triggers + predictor", "CPU, times demand-only")
    weighed = _world(_WEIGHED, "CPU, times demand-only")
    return (
        f"{cpu} times that without a cache, {demand} times a demand-only cache's "
        f"({weighed} times with triggers weighed by use)"
    )


def _chaos() -> str:
    path = FOLDER / "chaos.json"
    if not path.exists():
        raise _NotMeasuredError("chaos")
    found = json.loads(path.read_text())
    return (
        f"{found['lost']} of {found['published']:,} events lost under {sum(found['faults'].values())} faults"
    )


_HEADLINES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("An event, until its six jobs are in Kafka (p50)", "line", _line),
    ("An event, to a history and a job", "ingest", _ingest),
    ("A job that does nothing", "worker", _worker),
    ("An urgent job behind a backlog (p50)", "worker", _urgent),
    ("An answer, read", "read", _read),
    ("A day replayed: answers that were there", "impact", _hits),
    ("A day replayed: waiting for a request (p50 / p95)", "impact", _waits),
    ("A day replayed: CPU", "impact", _spent),
)
