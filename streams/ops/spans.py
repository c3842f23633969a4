"""The spans, by OpenTelemetry's SDK: imported only where tracing is on (the extra `tracing`)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, TraceState

from streams.contracts.jobs import Job
from streams.ops.tracing import TraceContext, is_valid
from streams.version import VERSION

#: Of W3C Trace Context; later versions may append fields.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
#: A collector that is away holds a stop up for so long at most; OTEL_EXPORTER_OTLP_TIMEOUT sets it.
EXPORT_WITHIN_S = 3.0
#: SDK's default is 5 s; a trace is looked for at once.
EXPORT_EVERY_MS = 1000.0


def exporting_processor(environ: Mapping[str, str]) -> SpanProcessor:
    """Batches to the collector that the OTEL_EXPORTER_OTLP_ variables name, over HTTP."""
    timeout = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in environ else EXPORT_WITHIN_S
    delay = None if "OTEL_BSP_SCHEDULE_DELAY" in environ else EXPORT_EVERY_MS
    return BatchSpanProcessor(OTLPSpanExporter(timeout=timeout), schedule_delay_millis=delay)


def parse(traceparent: str) -> SpanContext | None:
    """A traceparent as OpenTelemetry has it, or None for an invalid one."""
    found = _TRACEPARENT.match(traceparent)
    if found is None or not is_valid(traceparent):
        return None
    _, trace_id, span_id, flags = found.groups()
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16) & 1)
    )


def format_traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"


class Spans:
    """Makes spans. What nobody traces starts no trace: a root is sampled only by OTEL_TRACES_SAMPLER."""

    def __init__(self, role: str, processor: SpanProcessor) -> None:
        sampler = None if "OTEL_TRACES_SAMPLER" in os.environ else ParentBased(ALWAYS_OFF)
        resource = Resource.create(
            {
                SERVICE_NAME: f"precompute-{role}",
                SERVICE_VERSION: VERSION,
                SERVICE_INSTANCE_ID: f"{os.uname().nodename}-{os.getpid()}",
            }
        )
        self._provider = TracerProvider(sampler=sampler, resource=resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("precompute", VERSION)

    def shut_down(self) -> None:
        self._provider.shutdown()

    def current(self) -> str | None:
        context = trace.get_current_span().get_span_context()
        return format_traceparent(context) if context.is_valid and context.trace_flags.sampled else None

    def ids(self) -> dict[str, str]:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    def link(self, traceparent: str) -> None:
        context = parse(traceparent)
        if context is not None:
            trace.get_current_span().add_link(context)

    def emit(self, job: Job, context: TraceContext) -> TraceContext:
        headers = dict(context)
        parent = _parent(headers.get("traceparent", b"").decode(), headers.get("tracestate"))
        if parent is None:
            return context
        span = self._tracer.start_span(
            f"emit {job.task}",
            context=parent,
            kind=SpanKind.PRODUCER,
            attributes=_attributes(job),
            start_time=job.created_at * 1_000_000,
        )
        span.end()
        ours = format_traceparent(span.get_span_context()).encode()
        return tuple((name, ours if name == "traceparent" else value) for name, value in context)

    @contextmanager
    def job(self, job: Job, headers: Sequence[tuple[str, bytes | None]]) -> Iterator[Span]:
        found = dict(headers)
        parent = _parent(
            (found.get("traceparent") or b"").decode("ascii", "replace"), found.get("tracestate")
        )
        with self._open(f"process {job.task}", parent, SpanKind.CONSUMER, _attributes(job)) as span:
            yield span

    @contextmanager
    def step(self, name: str, attributes: Mapping[str, str | float]) -> Iterator[Span]:
        named = {f"precompute.{key}": value for key, value in attributes.items()}
        with self._open(name, None, SpanKind.INTERNAL, named) as span:
            yield span

    @contextmanager
    def request(self, name: str, headers: Mapping[str, str]) -> Iterator[Span]:
        state = headers.get("tracestate", "").encode()
        parent = _parent(headers.get("traceparent", ""), state)
        with self._open(name, parent, SpanKind.SERVER, {}) as span:
            yield span

    def _open(
        self, name: str, parent: Any, kind: SpanKind, attributes: Mapping[str, Any]
    ) -> AbstractContextManager[Span]:
        # An exception's class and message are the status; its traceback stays in the log.
        return self._tracer.start_as_current_span(
            name, context=parent, kind=kind, attributes=attributes, record_exception=False
        )


def _parent(traceparent: str, tracestate: bytes | None) -> Any:
    """The context whose span is the parent; None without a valid one."""
    context = parse(traceparent)
    if context is None:
        return None
    if tracestate:
        state = TraceState.from_header([tracestate.decode("ascii", "replace")])
        context = SpanContext(
            context.trace_id,
            context.span_id,
            is_remote=True,
            trace_flags=context.trace_flags,
            trace_state=state,
        )
    return trace.set_span_in_context(NonRecordingSpan(context))


def _attributes(job: Job) -> dict[str, Any]:
    return {
        "messaging.system": "kafka",
        "precompute.job": job.id,
        "precompute.task": job.task,
        "precompute.key": job.key,
        "precompute.priority": job.priority,
        "precompute.why": job.why.value,
    }
