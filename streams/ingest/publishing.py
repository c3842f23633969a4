"""Sends what a slice caused and counts it."""

from __future__ import annotations

from streams.cache.counters import FleetCounters
from streams.cache.uses import withheld_field
from streams.contracts.jobs import encode_job
from streams.contracts.topics import TopicNames
from streams.ingest.effects import Effects, Letter, Outgoing
from streams.ingest.output import SliceOutput, with_headers
from streams.ingest.slices import REROUTED
from streams.kafka.fitting import fit_letter
from streams.kafka.producer import Headers
from streams.ops.children import Children
from streams.ops.metrics import (
    DEAD_LETTERS,
    EVENTS,
    EVENTS_MISROUTED,
    JOBS_EMITTED,
    JOBS_WITHHELD,
    PREDICTIONS,
)
from streams.ops.tracing import TRACING

_jobs_emitted = Children(JOBS_EMITTED)

#: A header is read by people; a decoder's message may quote its input.
LONGEST_MESSAGE = 500


class SlicePublisher:
    """Queues a slice's jobs, dead letters and rerouted records; `SliceOutput.flush` makes them true."""

    def __init__(self, output: SliceOutput, topics: TopicNames, counters: FleetCounters) -> None:
        self._output = output
        self._topics = topics
        self._counters = counters

    def publish(self, effects: Effects) -> None:
        for outgoing in effects.jobs:
            self._publish_job(outgoing)
        for letter in effects.letters:
            self._publish_letter(letter)
        for record in effects.rerouted:
            headers = [*record.headers, (REROUTED, b"1")]
            self._output.send(record.topic, record.value, record.key, headers=headers)

    def count(self, effects: Effects) -> None:
        """Counts what is acknowledged now."""
        for (event_type, result), n in effects.counts.items():
            EVENTS.labels(event_type, result).inc(n)
        for letter in effects.letters:
            DEAD_LETTERS.labels("events", letter.reason).inc()
        EVENTS_MISROUTED.inc(len(effects.rerouted))
        if effects.rerouted:
            self._counters.add("events_misrouted", len(effects.rerouted))
        for outgoing in effects.jobs:
            job = outgoing.job
            _jobs_emitted(job.task, job.priority, job.why.value).inc()
        for one in effects.withheld:
            JOBS_WITHHELD.labels(one.job.task, one.job.why.value, one.reason.value).inc()
            self._counters.add(withheld_field(one.job.task, one.job.why))
        shown = [one.acted_on for predictions in effects.predictions for one in predictions.predictions]
        PREDICTIONS.labels("acted").inc(sum(shown))
        PREDICTIONS.labels("not_acted").inc(len(shown) - sum(shown))
        self._counters.add("events", sum(effects.counts.values()))
        self._counters.add("tasks_queued", len(effects.jobs))

    def _publish_job(self, outgoing: Outgoing) -> None:
        job = outgoing.job
        context = TRACING.emit(job, outgoing.context) if TRACING.on else outgoing.context
        headers: Headers | None = list(context) or None
        self._output.send(self._topics.jobs(job.priority), encode_job(job), job.key.encode(), headers=headers)

    def _publish_letter(self, letter: Letter) -> None:
        record = letter.record
        reasons = with_headers(
            (),
            precompute_reason=letter.reason,
            precompute_error=letter.message[:LONGEST_MESSAGE],
            precompute_source=f"{record.topic}/{record.partition}/{record.offset}",
        )
        value, key, headers = fit_letter(record.value, record.key, record.headers, reasons)
        self._output.send(self._topics.events_dlq, value, key, headers=headers)
