from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streams.ops import logging as logs
from streams.ops.logging import (
    MOST_CHARACTERS,
    MOST_TRACE_CHARACTERS,
    OWN_BURST,
    FloodFilter,
    configure_logging,
)
from streams.settings import load_settings


def record(name: str, message: str, at: float, level: int = logging.ERROR) -> logging.LogRecord:
    one = logging.LogRecord(name, level, __file__, 1, message, None, None)
    one.created = at
    return one


def test_a_library_may_repeat_itself_once_a_period() -> None:
    flood = FloodFilter(period_s=5.0)
    passed = [flood.filter(record("aiokafka.conn", "broken pipe", at)) for at in (0.0, 0.1, 4.9)]
    assert passed == [True, False, False]
    late = record("aiokafka.conn", "broken pipe", 5.1)
    assert flood.filter(late)
    assert late.getMessage() == "broken pipe (and 2 more like it)"
    assert flood.filter(record("aiokafka.conn", "another matter", 5.2))


def test_quiet_lines_always_pass() -> None:
    flood = FloodFilter()
    for name in ("faust.app", "streams.work"):
        assert all(flood.filter(record(name, "same", 0.0, logging.INFO)) for _ in range(50))


def test_our_own_lines_pass_in_bursts_and_say_what_was_held_back(lines: io.StringIO) -> None:
    configure_logging(load_settings(log_format="json"), "worker")
    flood = logging.getLogger().handlers[0].filters[0]
    assert isinstance(flood, FloodFilter)
    log = structlog.get_logger("streams.work.endings")
    for number in range(1000):
        log.warning("an attempt failed", job=f"j{number}")
    log.warning("a lease was lost", job="j1")
    for line in flood._seen.values():
        line.since -= 60.0
    log.warning("an attempt failed", job="last")

    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    failed = [one for one in written if one["event"] == "an attempt failed"]
    assert [one["job"] for one in failed] == [*(f"j{n}" for n in range(OWN_BURST)), "last"]
    assert failed[-1]["held_back"] == 1000 - OWN_BURST
    assert "held_back" not in failed[0]
    assert sum(one["event"] == "a lease was lost" for one in written) == 1


def test_no_field_carries_a_payload_s_length(lines: io.StringIO) -> None:
    configure_logging(load_settings(log_format="json"), "worker")
    log = structlog.get_logger("streams.test")
    log.warning("an attempt failed", error="x" * 100_000, trace="y" * 100_000 + "the end")
    logging.getLogger("somebody").warning("%s", "z" * 100_000)

    own, foreign = (json.loads(line) for line in lines.getvalue().splitlines())
    assert len(own["error"]) < MOST_CHARACTERS + 50
    assert len(own["trace"]) <= MOST_TRACE_CHARACTERS + 1
    assert own["trace"].endswith("the end")
    assert len(foreign["event"]) < MOST_CHARACTERS + 50


def test_a_message_with_arguments_is_still_one() -> None:
    flood = FloodFilter(period_s=1.0)
    for at in (0.0, 0.5, 2.0):
        one = logging.LogRecord("rdkafka", logging.ERROR, __file__, 1, "%s of %d%%", ("a", 5), None)
        one.created = at
        passed = flood.filter(one)
    assert passed
    assert one.getMessage() == "a of 5% (and 1 more like it)"


def test_the_filter_s_memory_is_bounded() -> None:
    flood = FloodFilter(period_s=60.0, most_lines=10)
    for number in range(1_000):
        flood.filter(record("rdkafka", f"line {number}", float(number)))
    assert len(flood._seen) <= 10


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    monkeypatch.setattr(logs.sys, "__stderr__", out)
    yield out
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_every_line_is_json_with_its_role(lines: io.StringIO) -> None:
    configure_logging(load_settings(log_format="json"), "worker")
    structlog.get_logger("streams.test").warning("a lease was lost", job="j1", error=ValueError("x"))
    logging.getLogger("aiokafka").error("broken %s", "pipe")
    own, foreign = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (own["event"], own["job"], own["level"], own["role"]) == (
        "a lease was lost",
        "j1",
        "warning",
        "worker",
    )
    assert (foreign["event"], foreign["level"]) == ("broken pipe", "error")


def test_secrets_are_never_in_the_lines(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECOMPUTE_KAFKA_SASL_PASSWORD", "hunter2")
    settings = load_settings(redis_url="redis://:hunter2@h:1/0", log_level="debug")
    for form in ("json", "console"):
        configure_logging(load_settings(redis_url="redis://:hunter2@h:1/0", log_format=form), "api")
        log = structlog.get_logger("streams.test")
        log.error("settings", settings=settings, security=settings.kafka_security, text=str(settings))
        logging.getLogger("x").error("%r %s", settings, settings.kafka_security)
    assert "settings" in lines.getvalue()
    assert "hunter2" not in lines.getvalue()
