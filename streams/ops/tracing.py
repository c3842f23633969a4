"""Traces from an event to the read of its answer: W3C Trace Context in, OpenTelemetry spans out.

On where OTEL_EXPORTER_OTLP_ENDPOINT says where to, and the extra `tracing` is installed; the SDK reads its
other variables too. Off, a check of `TRACING.on` is all there is, and contexts pass through as they came.
https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import structlog

from streams.ops.metrics import TRACEPARENTS_INVALID

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

    from streams.contracts.jobs import Job
    from streams.ops.spans import Spans

_log = structlog.get_logger(__name__)

#: A record's trace context: the headers that go from an event to its jobs.
TraceContext = tuple[tuple[str, bytes], ...]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
#: What a header is called in a job: CloudEvents has names of its own. All but the first go on byte by byte.
_CARRIED = {
    "traceparent": "traceparent",
    "ce_traceparent": "traceparent",
    "tracestate": "tracestate",
    "ce_tracestate": "tracestate",
    "baggage": "baggage",
}
#: W3C Baggage, 3.3.2: what a propagator must be able to carry.
MOST_BYTES = 8192


class Tracing:
    """What this process does about traces. One object, `TRACING`; roles switch it on when they start."""

    def __init__(self) -> None:
        self.on = False
        self._spans: Spans | None = None

    def start(self, role: str, environ: Mapping[str, str] = os.environ) -> None:
        """Switches tracing on where the environment asks for it; says so where it cannot be."""
        if self.on or not is_asked_for(environ):
            return
        if find_spec("opentelemetry.sdk") is None:
            _log.warning("no traces: install precompute[tracing], or unset OTEL_EXPORTER_OTLP_ENDPOINT")
            return
        from streams.ops.spans import exporting_processor  # noqa: PLC0415 (an extra brings what it imports)

        self.use(role, exporting_processor(environ))

    def use(self, role: str, processor: SpanProcessor) -> None:
        """Switches tracing on, with spans that go to `processor`."""
        from streams.ops.spans import Spans  # noqa: PLC0415 (as above)

        self._spans = Spans(role, processor)
        self.on = True

    def stop(self) -> None:
        """Sends what waits and switches off; safe to call at any time."""
        spans, self._spans, self.on = self._spans, None, False
        if spans is not None:
            spans.shut_down()

    def emit(self, job: Job, context: TraceContext) -> TraceContext:
        """The headers of a job that an event caused: the event's, with our span in between."""
        return context if self._spans is None else self._spans.emit(job, context)

    def headers(self) -> TraceContext:
        """The headers of a record that is sent on behalf of what runs now."""
        traceparent = self.current()
        return () if traceparent is None else (("traceparent", traceparent.encode()),)

    def current(self) -> str | None:
        """The traceparent of what runs now, where somebody records it."""
        return None if self._spans is None else self._spans.current()

    def link(self, traceparent: str | None) -> None:
        """Lets what runs now point to where what it uses came from: one answer serves many readers."""
        if self._spans is not None and traceparent is not None:
            self._spans.link(traceparent)

    def ids(self) -> dict[str, str]:
        """`trace_id` and `span_id` of what runs now, for log lines."""
        return {} if self._spans is None else self._spans.ids()

    @contextmanager
    def job(self, job: Job, headers: Sequence[tuple[str, bytes | None]]) -> Iterator[SpanNotes]:
        """Around a worker's work on a job."""
        if self._spans is None:
            yield SpanNotes(None)
            return
        with self._spans.job(job, headers) as span:
            yield SpanNotes(span)

    @contextmanager
    def step(self, name: str, **attributes: str | float) -> Iterator[SpanNotes]:
        """Around a part of what runs now."""
        if self._spans is None:
            yield SpanNotes(None)
            return
        with self._spans.step(name, attributes) as span:
            yield SpanNotes(span)

    @contextmanager
    def request(self, name: str, headers: Mapping[str, str]) -> Iterator[SpanNotes]:
        """Around the answer to an HTTP request."""
        if self._spans is None:
            yield SpanNotes(None)
            return
        with self._spans.request(name, headers) as span:
            yield SpanNotes(span)


class SpanNotes:
    """What is said about a span while it is open; nothing, where there is none."""

    __slots__ = ("_span",)

    def __init__(self, span: Any) -> None:
        self._span = span

    def note(self, **attributes: str | float | bool) -> None:
        if self._span is not None:
            self._span.set_attributes({f"precompute.{name}": value for name, value in attributes.items()})

    def fail(self, message: str) -> None:
        if self._span is not None:
            from opentelemetry.trace import StatusCode  # noqa: PLC0415 (an extra brings it)

            self._span.set_status(StatusCode.ERROR, message[:200])


TRACING = Tracing()


def is_asked_for(environ: Mapping[str, str]) -> bool:
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(environ.get(name) for name in _ENDPOINTS)


def is_valid(traceparent: str) -> bool:
    """Of one that has the form: ids of zeros and version ff are invalid (Trace Context, 3.2)."""
    return (
        traceparent[:2] != "ff" and traceparent[3:35].strip("0") != "" and traceparent[36:52].strip("0") != ""
    )


def traceparent_of(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """Of a job record's headers, as it stands there."""
    return next(
        ((value or b"").decode("ascii", "replace") for name, value in headers if name == "traceparent"), None
    )


def context_of(traceparent: str | None, headers: Sequence[tuple[str, bytes | None]]) -> TraceContext:
    """An event's trace context: its traceparent as it was decoded, and what its headers say besides.

    One that is invalid is counted and left out, together with its tracestate; it never is an error.
    """
    valid = traceparent is not None and is_valid(traceparent)
    found = [("traceparent", traceparent.encode())] if traceparent is not None and valid else []
    wrong = traceparent is not None and not valid
    for name, value in headers:
        carried = _CARRIED.get(name.lower())
        if carried is None:
            continue
        if carried == "traceparent":
            wrong = wrong or not valid
        elif value is not None and len(value) <= MOST_BYTES and (valid or carried == "baggage"):
            found.append((carried, value))
    if wrong:
        TRACEPARENTS_INVALID.inc()
    return tuple(found)
