from __future__ import annotations

from typing import Any

import pytest
from ingest_samples import Stream, raw_record, record, upload
from prometheus_client import REGISTRY

from streams.contracts.jobs import decode_job
from streams.contracts.topics import MAX_RECORD_BYTES, TopicNames
from streams.ingest.effects import Effects
from streams.ingest.output import with_headers
from streams.ingest.publishing import SlicePublisher
from streams.ingest.slices import REROUTED
from streams.kafka.fitting import FRAMING_BYTES, TRUNCATED, fit_letter, size_of

TOPICS = TopicNames("x.")


class KeptOutput:
    """What would be in Kafka; refuses what the client would refuse."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None, dict[str, bytes | None]]] = []

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        partition: int | None = None,
        headers: Any = None,
    ) -> None:
        assert partition is None
        size = len(value or b"") + len(key or b"") + size_of(headers or [])
        assert size <= MAX_RECORD_BYTES - FRAMING_BYTES // 2, (
            "the producer refuses it, and the stream stops for good"
        )
        self.sent.append((topic, value, key, dict(headers or [])))


class Counted:
    def __init__(self) -> None:
        self.sums: dict[str, float] = {}

    def add(self, field: str, amount: float = 1.0) -> None:
        self.sums[field] = self.sums.get(field, 0.0) + amount


@pytest.fixture
def output() -> KeptOutput:
    return KeptOutput()


def publish(output: KeptOutput, effects: Effects) -> Counted:
    counted = Counted()
    publisher = SlicePublisher(output, TOPICS, counted)  # type: ignore[arg-type]
    publisher.publish(effects)
    publisher.count(effects)
    return counted


def test_jobs_go_to_their_priority_under_their_key(output: KeptOutput) -> None:
    parent = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    counted = publish(output, Stream().process(upload(headers=[("traceparent", parent)])))
    assert {topic for topic, *_ in output.sent} == {"x.jobs.p08"}
    for _, value, key, headers in output.sent:
        assert value is not None
        assert decode_job(value).key.encode() == key
        assert headers == {"traceparent": parent}
    assert counted.sums == {"events": 1, "tasks_queued": 6}


def test_a_letter_keeps_the_bytes_and_says_why_and_whence(output: KeptOutput) -> None:
    before = REGISTRY.get_sample_value(
        "precompute_dead_letters_total", {"source": "events", "reason": "not_json"}
    )
    bad = raw_record(b"\xff\x00", b"u1", offset=77, headers=[("x", b"1"), ("empty", None)])
    publish(output, Stream().process(bad))
    ((topic, value, key, headers),) = output.sent
    assert (topic, value, key) == ("x.events.dlq", b"\xff\x00", b"u1")
    assert headers["x"] == b"1"
    assert headers["empty"] is None
    assert headers["precompute-reason"] == b"not_json"
    assert headers["precompute-source"] == f"{bad.topic}/{bad.partition}/77".encode()
    assert headers["precompute-error"]
    after = REGISTRY.get_sample_value(
        "precompute_dead_letters_total", {"source": "events", "reason": "not_json"}
    )
    assert (after or 0) - (before or 0) == 1


def test_a_record_sent_on_is_marked(output: KeptOutput) -> None:
    lost = record("user.logged_in", partition=99, headers=[("x", b"1")])
    publish(output, Effects(rerouted=[lost]))
    ((topic, value, key, headers),) = output.sent
    assert (topic, value, key) == (lost.topic, lost.value, lost.key)
    assert headers == {"x": b"1", REROUTED: b"1"}


@pytest.mark.parametrize(
    ("value", "key", "headers"),
    [
        (bytes(100_000_000), b"u1", []),
        (b"{}", bytes(9_000_000), []),
        (b"{}", b"u1", [("x", bytes(9_000_000)), ("y", b"kept")]),
        (None, None, [(f"h{n}", bytes(100)) for n in range(100_000)]),
    ],
    ids=["value", "key", "header", "headers"],
)
def test_a_record_that_unpacked_to_too_much_is_cut_and_does_not_stop_the_stream(
    output: KeptOutput, value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    publish(output, Stream().process(raw_record(value, key, headers=headers), upload("v1")))
    (letter,) = [sent for sent in output.sent if sent[0] == "x.events.dlq"]
    assert int(letter[3][TRUNCATED] or 0) > 9_000_000
    assert letter[3]["precompute-reason"]
    assert len(output.sent) == 7
    if len(headers) == 2:
        assert letter[3]["y"] == b"kept"


def test_the_largest_event_is_kept_whole() -> None:
    value = bytes(MAX_RECORD_BYTES - 70_000)
    assert fit_letter(value, b"k", [("x", bytes(60_000))], [("r", b"s")])[0] is value


def test_our_headers_stand_behind_the_publisher_s() -> None:
    assert with_headers([("a", b"1")], precompute_reason="schema") == [
        ("a", b"1"),
        ("precompute-reason", b"schema"),
    ]
