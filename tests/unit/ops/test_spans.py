"""Spans from the event to the read, in memory; contexts that pass through as they came."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from streams.contracts.jobs import Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.ops import logging as logs
from streams.ops import tracing as tracing_module
from streams.ops.logging import configure_logging
from streams.ops.metrics import TRACEPARENTS_INVALID
from streams.ops.spans import format_traceparent, parse
from streams.ops.tracing import MOST_BYTES, TRACING, Tracing, context_of, is_asked_for
from streams.settings import load_settings

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
NOW_MS = 1_795_600_800_000


def job() -> Job:
    return new_job(
        CacheKey("ctr_prediction", "video", "v1"),
        cause="e1",
        user_id="u1",
        priority=8,
        why=Why.UPLOAD,
        created_at=NOW_MS,
        input_version=1,
    )


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Iterator[Tracing]:
    made = Tracing()
    made.use("test", SimpleSpanProcessor(exporter))
    yield made
    made.stop()


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    [span] = exporter.get_finished_spans()
    return span


def test_a_job_carries_our_span_and_the_rest_of_the_context_untouched(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    state, baggage = b"congo=t61rcWkgMzE,  rojo=00f0", b"userId=al%69ce;p=1 , x"
    context = context_of(PARENT, [("TraceState", state), ("baggage", baggage), ("ce_id", b"e1")])

    sent = dict(tracing.emit(job(), context))

    span = only(exporter)
    assert sent["tracestate"] == state
    assert sent["baggage"] == baggage
    assert sent["traceparent"].decode() == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert (span.name, span.kind) == ("emit ctr_prediction", SpanKind.PRODUCER)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == SPAN
    assert span.start_time == NOW_MS * 1_000_000


def test_the_whole_way_is_one_trace_and_readers_point_to_it(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    headers = tracing.emit(job(), context_of(PARENT, []))
    with tracing.job(job(), headers) as notes:
        with tracing.step("handler ctr_prediction"):
            pass
        with tracing.step("write the answer"):
            stored = tracing.current()
        notes.note(status="completed")
    for reader in ("a", "b"):
        parent = f"00-{reader * 32}-{SPAN}-01"
        with tracing.request("GET", {"traceparent": parent}), tracing.step("read"):
            tracing.link(stored)

    spans = {span.name: span for span in exporter.get_finished_spans()}
    emit, process = spans["emit ctr_prediction"], spans["process ctr_prediction"]
    assert process.parent is not None
    assert process.parent.span_id == emit.context.span_id
    for step in ("handler ctr_prediction", "write the answer"):
        assert spans[step].parent == process.context
        assert f"{spans[step].context.trace_id:032x}" == TRACE
    assert process.attributes is not None
    assert process.attributes["precompute.status"] == "completed"
    reads = [span for span in exporter.get_finished_spans() if span.name == "read"]
    assert len({span.context.trace_id for span in reads}) == 2
    for read_span in reads:
        [link] = read_span.links
        assert f"{link.context.trace_id:032x}" == TRACE


def test_what_nobody_traces_starts_no_trace(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    assert tracing.emit(job(), ()) == ()
    unsampled = context_of(f"00-{TRACE}-{SPAN}-00", [])
    sent = dict(tracing.emit(job(), unsampled))
    with tracing.job(job(), ()):
        assert tracing.current() is None
    with tracing.request("GET", {}):
        assert tracing.headers() == ()
    assert exporter.get_finished_spans() == ()
    assert sent["traceparent"].decode().startswith(f"00-{TRACE}-")
    assert sent["traceparent"].endswith(b"-00")


def test_a_failure_is_on_its_span(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    with tracing.job(job(), [("traceparent", PARENT.encode())]) as notes:
        notes.fail("ValueError: x")
    span = only(exporter)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: x"


INVALID = [
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"ff-{TRACE}-{SPAN}-01",
]


@pytest.mark.parametrize("traceparent", INVALID)
def test_an_invalid_traceparent_is_left_out_and_counted(traceparent: str, tracing: Tracing) -> None:
    before = TRACEPARENTS_INVALID._value.get()

    context = context_of(traceparent, [("tracestate", b"a=b"), ("baggage", b"k=v")])

    assert context == (("baggage", b"k=v"),)
    assert TRACEPARENTS_INVALID._value.get() == before + 1
    assert tracing.emit(job(), context) == context
    assert parse(traceparent) is None


def test_a_header_that_was_none_is_counted_and_no_header_is_not() -> None:
    before = TRACEPARENTS_INVALID._value.get()
    assert context_of(None, [("traceparent", b"nonsense")]) == ()
    assert context_of(None, [("ce_traceparent", None)]) == ()
    assert context_of(None, [("ce_id", b"1")]) == ()
    assert TRACEPARENTS_INVALID._value.get() == before + 2


@given(st.text(max_size=80), st.lists(st.tuples(st.text(max_size=12), st.none() | st.binary(max_size=40))))
def test_no_header_is_an_error(text: str, headers: list[tuple[str, bytes | None]]) -> None:
    parse(text)
    tracing = Tracing()
    tracing.use("test", SimpleSpanProcessor(InMemorySpanExporter()))
    with tracing.job(job(), [*headers, ("traceparent", text.encode("utf-8", "surrogatepass"))]):
        pass
    with tracing.request("GET", {"traceparent": text, "tracestate": text}):
        pass
    context_of(None, headers)
    tracing.stop()


def test_what_is_too_long_to_carry_is_left_out() -> None:
    assert context_of(PARENT, [("baggage", b"x" * (MOST_BYTES + 1))]) == (("traceparent", PARENT.encode()),)


def test_a_traceparent_survives_reading_and_writing() -> None:
    context = parse(PARENT)
    assert context is not None
    assert format_traceparent(context) == PARENT
    assert parse("01" + PARENT[2:] + "-more") is not None


def test_off_is_off(exporter: InMemorySpanExporter) -> None:
    tracing = Tracing()
    context = context_of(PARENT, [("tracestate", b"a=b")])
    assert tracing.emit(job(), context) is context
    with tracing.job(job(), context) as notes, tracing.step("x"), tracing.request("GET", {}):
        notes.note(a=1)
        notes.fail("x")
        tracing.link(PARENT)
        assert tracing.current() is None
        assert tracing.ids() == {}
        assert tracing.headers() == ()
    tracing.stop()
    assert exporter.get_finished_spans() == ()


def test_the_environment_decides() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert is_asked_for(endpoint)
    assert is_asked_for({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    assert not is_asked_for({})
    assert not is_asked_for({**endpoint, "OTEL_SDK_DISABLED": "TRUE"})
    tracing = Tracing()
    tracing.start("worker", {})
    assert not tracing.on
    tracing.start("worker", endpoint)
    assert tracing.on
    tracing.stop()


def test_without_the_extra_it_stays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing_module, "find_spec", lambda _: None)
    tracing = Tracing()
    tracing.start("worker", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    assert not tracing.on


def test_log_lines_carry_the_ids(monkeypatch: pytest.MonkeyPatch, exporter: InMemorySpanExporter) -> None:
    root = logging.getLogger()
    before, level, out = root.handlers[:], root.level, io.StringIO()
    monkeypatch.setattr(logs.sys, "__stderr__", out)
    TRACING.use("test", SimpleSpanProcessor(exporter))
    try:
        configure_logging(load_settings(log_format="json"), "worker")
        with TRACING.job(job(), [("traceparent", PARENT.encode())]):
            structlog.get_logger("streams.test").warning("inside")
            logging.getLogger("somebody").warning("inside, too")
        structlog.get_logger("streams.test").warning("outside")
    finally:
        TRACING.stop()
        root.handlers[:], root.level = before, level
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()

    inside, foreign, outside = (json.loads(line) for line in out.getvalue().splitlines())
    assert inside["trace_id"] == foreign["trace_id"] == TRACE
    assert inside["span_id"] == f"{only(exporter).context.span_id:016x}"
    assert "trace_id" not in outside
