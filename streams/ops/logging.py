"""Logs: JSON lines on stderr for machines, or lines for people; ids, never payloads or secrets.

A line that repeats itself too often is held back and counted, and no field is longer than a few lines: an
error's text may quote what it could not read.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog

from streams.ops.tracing import TRACING
from streams.settings import Settings

#: While a broker is away aiokafka writes ~1,500 errors a second and librdkafka one per 50 ms.
FLOODING = ("aiokafka", "faust", "mode", "opentelemetry", "rdkafka")
#: Of our own lines so many of a kind pass in a period: enough to see which jobs fail, at any rate of them.
OWN_BURST = 20
MOST_CHARACTERS = 1000
#: A traceback's end says most; it shows source lines, never values.
MOST_TRACE_CHARACTERS = 8000
_TRACES = frozenset({"exception", "trace"})


def configure_logging(settings: Settings, role: str) -> None:
    """Sets up structlog and the standard library's logging for this process, and traces where the
    environment asks for them; safe to call again.
    """
    level = getattr(logging, settings.log_level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _add_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _shorten,
    ]
    render: Any
    if settings.log_format == "json":
        render = structlog.processors.JSONRenderer(serializer=_dump)
    else:
        render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Faust replaces sys.stderr by a proxy that logs: our lines would go round in circles.
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    handler.addFilter(FloodFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.contextvars.bind_contextvars(role=role)
    TRACING.start(role)


def _add_trace(_logger: Any, _method: str, event: Any) -> Any:
    if TRACING.on:
        event.update(TRACING.ids())
    return event


def _dump(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _shorten(_logger: Any, _method: str, event: Any) -> Any:
    for name, value in event.items():
        if isinstance(value, str) and len(value) > MOST_CHARACTERS:
            event[name] = _cut(name, value)
    return event


def _cut(name: str, text: str) -> str:
    if name not in _TRACES:
        return f"{text[:MOST_CHARACTERS]}… ({len(text) - MOST_CHARACTERS} more characters)"
    return text if len(text) <= MOST_TRACE_CHARACTERS else f"…{text[-MOST_TRACE_CHARACTERS:]}"


class _Repeated:
    """How often a line came in the period that began at `since`."""

    __slots__ = ("held", "passed", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.passed = 0
        self.held = 0


class FloodFilter(logging.Filter):
    """Lets a library repeat the same warning once a `period_s`, ourselves `own_burst` times.

    The first line of the next period says how many were held back.
    """

    def __init__(self, period_s: float = 5.0, most_lines: int = 1024, own_burst: int = OWN_BURST) -> None:
        super().__init__()
        self._period = period_s
        self._most = most_lines
        self._own_burst = own_burst
        self._seen: dict[tuple[str, int, str], _Repeated] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        line = self._line(record)
        held = 0
        if record.created - line.since >= self._period:
            held, line.held, line.passed, line.since = line.held, 0, 0, record.created
        burst = 1 if record.name.startswith(FLOODING) else self._own_burst
        if line.passed >= burst:
            line.held += 1
            return False
        line.passed += 1
        if held:
            _tell(record, held)
        return True

    def _line(self, record: logging.LogRecord) -> _Repeated:
        text = record.msg.get("event", "") if isinstance(record.msg, dict) else record.msg
        key = (record.name, record.levelno, str(text)[:120])
        line = self._seen.get(key)
        if line is None:
            if len(self._seen) >= self._most:
                self._seen.clear()
            line = self._seen[key] = _Repeated(record.created)
        return line


def _tell(record: logging.LogRecord, held: int) -> None:
    """Our own lines are dictionaries on their way to the renderer; libraries' are texts."""
    if isinstance(record.msg, dict):
        record.msg = {**record.msg, "held_back": held}
    else:
        record.msg = f"{record.msg} (and {held} more like it)"
