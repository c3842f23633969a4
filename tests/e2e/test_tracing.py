"""One trace through the real roles, from a publisher's event to the reads of its answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.support.collector import Collector, SeenSpan
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

#: Stands in an event's data; must stand in no log and no span.
PAYLOAD = "what-the-user-wrote"
STATE, BAGGAGE = b"vendor=t61rcWkgMzE,  other=00f0", b"tenant=al%69ce;p=1 , x=2"

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def traced(
    collector: Collector, kafka: str, valkey: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SystemUnderTest]:
    folder = tmp_path_factory.mktemp("tracing")
    with SystemUnderTest(folder, kafka, valkey, log_format="json", log_level="debug") as system:
        system.environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        system.start("streams", "worker", "api")
        yield system


def log_in(system: SystemUnderTest, user: str, traceparent: bytes) -> str:
    """Publishes the event; the key of its answer."""
    value = {"type": "user.logged_in", "id": user, "data": {"user_id": user, "note": PAYLOAD}}
    headers = [("traceparent", traceparent), ("tracestate", STATE), ("baggage", BAGGAGE)]
    system.send(system.topics.users, msgspec.json.encode(value), user, headers)
    system.flush()
    return f"dashboard_data:user:{user}"


def read(system: SystemUnderTest, key: str, reader: str) -> httpx.Response | None:
    headers = {"traceparent": f"00-{reader}-{'b7' * 8}-01"}
    response = system.http.get(f"/cache/{key}", headers=headers)
    return response if response.status_code == 200 else None


def wait_for(collector: Collector, name: str, trace_id: str) -> SeenSpan:
    return wait_until(
        lambda: next(iter(collector.spans(name, trace_id=trace_id)), None), what=f"the span {name}"
    )


def test_an_event_s_trace_goes_through_every_role_to_its_readers(
    traced: SystemUnderTest, collector: Collector
) -> None:
    trace_id, publisher = uuid.uuid4().hex, "a1" * 8
    key = log_in(traced, f"u-{trace_id[:8]}", f"00-{trace_id}-{publisher}-01".encode())
    readers = [uuid.uuid4().hex, uuid.uuid4().hex]
    wait_until(lambda: read(traced, key, readers[0]), what="the answer")
    assert read(traced, key, readers[1])

    emit = wait_for(collector, "emit dashboard_data", trace_id)
    process = wait_for(collector, "process dashboard_data", trace_id)
    assert (emit.service, emit.parent_id) == ("precompute-streams", publisher)
    assert (process.service, process.parent_id) == ("precompute-worker", emit.span_id)
    assert process.attributes["precompute.status"] == "completed"
    assert process.attributes["precompute.key"] == key
    for step in ("run the handler", "write the answer"):
        assert wait_for(collector, step, trace_id).parent_id == process.span_id
    for reader in readers:
        linked = wait_until(
            lambda reader=reader: [  # type: ignore[misc]
                span for span in collector.spans("GET", trace_id=reader) if span.links
            ],
            what="a read that points to the computation",
        )
        assert linked[-1].service == "precompute-api"
        assert linked[-1].links == ((trace_id, process.span_id),)


def test_what_belongs_to_the_trace_goes_on_byte_by_byte(traced: SystemUnderTest) -> None:
    trace_id = uuid.uuid4().hex
    user = f"u-{trace_id[:8]}"
    log_in(traced, user, f"00-{trace_id}-{'a1' * 8}-01".encode())

    def job_headers() -> dict[str, bytes] | None:
        records = traced.records(traced.topics.jobs(7))
        return next((dict(r.headers()) for r in records if r.key().endswith(user.encode())), None)

    headers = wait_until(job_headers, what="the job")
    assert headers["tracestate"] == STATE
    assert headers["baggage"] == BAGGAGE
    assert headers["traceparent"].startswith(f"00-{trace_id}-".encode())


def test_a_wrong_traceparent_is_counted_and_harms_nothing(
    traced: SystemUnderTest, collector: Collector
) -> None:
    key = log_in(traced, f"u-{uuid.uuid4().hex[:8]}", f"00-{'0' * 32}-{'a1' * 8}-01".encode())

    wait_until(lambda: traced.answer(key), what="the answer")

    metrics = httpx.get(traced.roles["streams"].metrics_url, trust_env=False).text
    [count] = re.findall(r"^precompute_traceparents_invalid_total (\S+)$", metrics, re.MULTILINE)
    assert float(count) >= 1
    assert not [span for span in collector.spans() if span.attributes.get("precompute.key") == key]


def test_an_event_over_http_carries_its_caller_s_trace(traced: SystemUnderTest, collector: Collector) -> None:
    trace_id = uuid.uuid4().hex
    headers = {"traceparent": f"00-{trace_id}-{'a1' * 8}-01"}
    user = f"u-{trace_id[:8]}"
    answer = traced.http.post("/login", json={"user_id": user, "user_data": {}}, headers=headers)
    assert answer.status_code == 202

    request = wait_for(collector, "POST", trace_id)
    emit = wait_for(collector, "emit dashboard_data", trace_id)
    assert (request.service, emit.parent_id) == ("precompute-api", request.span_id)
    wait_for(collector, "process dashboard_data", trace_id)


def test_no_log_and_no_span_holds_a_payload(traced: SystemUnderTest, collector: Collector) -> None:
    logs = {path.name: path.read_text() for path in Path(traced.folder).glob("*.log")}
    assert logs.keys() >= {"streams.log", "worker.log", "api.log"}
    assert [name for name, text in logs.items() if PAYLOAD in text] == []
    assert [span for span in collector.spans() if PAYLOAD in str(span.attributes)] == []
