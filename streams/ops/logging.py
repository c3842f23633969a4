"""Logs: JSON lines on stderr for machines, or lines for people; ids, never payloads or secrets."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog

from streams.settings import Settings

#: While a broker is away aiokafka writes ~1,500 errors a second and librdkafka one per 50 ms.
FLOODING = ("aiokafka", "faust", "mode", "rdkafka")


def configure_logging(settings: Settings, role: str) -> None:
    """Sets up structlog and the standard library's logging for this process; safe to call again."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
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


def _dump(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


class FloodFilter(logging.Filter):
    """Lets a library repeat the same line once a `period_s`, and says how many it held back."""

    def __init__(self, period_s: float = 5.0, most_lines: int = 1024) -> None:
        super().__init__()
        self._period = period_s
        self._most = most_lines
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or not record.name.startswith(FLOODING):
            return True
        key = (record.name, record.levelno, str(record.msg)[:120])
        last, held = self._seen.get(key, (float("-inf"), 0))
        if record.created - last < self._period:
            self._seen[key] = (last, held + 1)
            return False
        if len(self._seen) >= self._most:
            self._seen.clear()
        self._seen[key] = (record.created, 0)
        if held:
            record.msg = f"{record.msg} (and {held} more like it)"
        return True
