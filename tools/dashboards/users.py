"""What users notice: are answers there, how quickly do they come, how long does somebody wait."""

from __future__ import annotations

from tools.dashboards.board import Board, Row
from tools.dashboards.panels import Figure, Graph, Query, quantiles

_HITS = 'sum(rate(precompute_cache_requests_total{@,result=~"hit|stale"}[$r]))'
_READS = "sum(rate(precompute_cache_requests_total{@}[$r]))"
#: Job mean times of the last hour: a shorter window has too few jobs of some tasks.
_MEAN_S = (
    "sum by (task) (rate(precompute_job_duration_seconds_sum{@}[1h])) "
    "/ sum by (task) (rate(precompute_job_duration_seconds_count{@}[1h]))"
)
_SAVED = f'sum by (task) (rate(precompute_cache_requests_total{{@,result=~"hit|stale"}}[$r])) * {_MEAN_S}'
_CACHED = "precompute_job_event_to_cached_seconds"
_EVENT = 'why=~"upload|campaign|login|changed"'

_GLANCE = Row(
    "At a glance",
    [
        Figure(
            title="Hit rate",
            why="Reads answered with a fresh or stale answer, of all reads.",
            unit="percentunit",
            query=Query(f"{_HITS} / {_READS}"),
            bounds=((None, "red"), (0.5, "orange"), (0.8, "green")),
            decimals=1,
        ),
        Figure(
            title="Reads within 50 ms",
            why="Objective: 99.9 %.",
            unit="percentunit",
            query=Query(
                'sum(rate(precompute_cache_read_seconds_bucket{@,le="0.05"}[$r])) '
                "/ sum(rate(precompute_cache_read_seconds_count{@}[$r]))"
            ),
            bounds=((None, "red"), (0.999, "green")),
            decimals=2,
        ),
        Figure(
            title="Answers within 30 s of their event",
            why="Objective: 99 %. Uploads, campaigns, logins and changes; predicted work does not count.",
            unit="percentunit",
            query=Query(
                f'sum(rate({_CACHED}_bucket{{@,{_EVENT},le="30.0"}}[$r])) '
                f"/ sum(rate({_CACHED}_count{{@,{_EVENT}}}[$r]))"
            ),
            bounds=((None, "red"), (0.99, "green")),
            decimals=1,
        ),
        Figure(
            title="Waiting time saved",
            why="Seconds of computing per second that readers did not wait for: first reads of answers.",
            unit="s",
            query=Query("sum(rate(precompute_compute_saved_seconds_total{@}[$r]))"),
            decimals=1,
        ),
    ],
)

_READING = Row(
    "Reading",
    [
        Graph(
            title="Reads by result",
            why="hit, stale, miss, unavailable, error. Errors are a Redis that does not answer.",
            unit="reqps",
            queries=[Query("sum by (result) (rate(precompute_cache_requests_total{@}[$r]))", "{{result}}")],
            stacked=True,
        ),
        Graph(
            title="Hit rate by task",
            why="A task that stays low is asked for before it is predicted, or expires too soon.",
            unit="percentunit",
            queries=[
                Query(
                    'sum by (task) (rate(precompute_cache_requests_total{@,result=~"hit|stale"}[$r])) '
                    "/ sum by (task) (rate(precompute_cache_requests_total{@}[$r]))",
                    "{{task}}",
                )
            ],
        ),
        Graph(
            title="Time to answer a read",
            why="The cache's part of a request, without waiting for a computation.",
            unit="s",
            queries=quantiles("precompute_cache_read_seconds"),
        ),
        Graph(
            title="Computing that hits stand for, by task",
            why="Seconds per second: all hits times the task's mean computing time of the last hour.",
            unit="s",
            queries=[Query(_SAVED, "{{task}}")],
            stacked=True,
        ),
    ],
)

_WAITING = Row(
    "Waiting",
    [
        Graph(
            title="From an event to its answer",
            why="Uploads, campaigns, logins and changes, from the job's emission to its answer readable.",
            unit="s",
            queries=quantiles(_CACHED, _EVENT),
        ),
        Graph(
            title="Somebody waits for it",
            why="Answers computed because a reader asked: what a miss costs a user.",
            unit="s",
            queries=quantiles(_CACHED, 'why="demand"'),
        ),
        Graph(
            title="From an event to its answer, by task (p95)",
            why="The slowest task decides when a page is complete.",
            unit="s",
            queries=[
                Query(
                    f"histogram_quantile(0.95, sum by (le, task) (rate({_CACHED}_bucket{{@,{_EVENT}}}[$r])))",
                    "{{task}}",
                )
            ],
        ),
        Graph(
            title="Readers waiting now",
            why="Held requests (`Prefer: wait`). Many, for long: answers are asked for before they exist.",
            unit="short",
            queries=[Query("sum(precompute_readers_waiting{@})", "waiting")],
        ),
        Graph(
            title="Invalidations",
            why="Answers taken back by a change or by hand; a burst is followed by misses.",
            unit="ops",
            queries=[
                Query("sum(rate(precompute_cache_invalidations_total{@}[$r]))", "invalidated"),
            ],
        ),
    ],
)

BOARD = Board(
    name="users",
    title="Users",
    why="Are answers there before anyone asks, and how long does somebody wait where not?",
    rows=[_GLANCE, _READING, _WAITING],
)
