"""From events to answers: where work piles up, fails or is put aside."""

from __future__ import annotations

from tools.dashboards.board import Board, Row
from tools.dashboards.panels import Graph, Query, percentile, quantiles

_FAILED = 'result=~"failed|poison|rejected|attempts_spent"'
_PUT_ASIDE = 'result=~"shed|expired|superseded|held_out|duplicate"'
#: Faults are counted when they happen; until then the graph says none.
_NONE = " or vector(0)"

_EVENTS = Row(
    "Events",
    [
        Graph(
            title="Events by type",
            why="What upstream services publish.",
            unit="ops",
            queries=[Query("sum by (event_type) (rate(precompute_events_total{@}[$r]))", "{{event_type}}")],
            stacked=True,
        ),
        Graph(
            title="From an event to its jobs",
            why="Event in its topic to its jobs acknowledged by Kafka.",
            unit="s",
            queries=quantiles("precompute_event_to_job_seconds"),
        ),
        Graph(
            title="Jobs emitted by cause",
            why="What asks for work; predicted grows with the predictor's confidence.",
            unit="ops",
            queries=[Query("sum by (why) (rate(precompute_jobs_emitted_total{@}[$r]))", "{{why}}")],
            stacked=True,
        ),
        Graph(
            title="Dead letters, misrouted events",
            why="By source and reason. A publisher with another partitioner shows as misrouted.",
            unit="ops",
            queries=[
                Query(
                    "sum by (source, reason) (rate(precompute_dead_letters_total{@}[$r]))" + _NONE,
                    "{{source}} {{reason}}",
                ),
                Query("sum(rate(precompute_events_misrouted_total{@}[$r]))", "misrouted"),
            ],
        ),
    ],
)

_PRIORITIES = Row(
    "By priority",
    [
        Graph(
            title="Lag",
            why="Records of each topic that its group has not committed.",
            unit="short",
            queries=[
                Query('max by (topic) (precompute_consumer_lag{@,topic=~".*jobs[.].*"})', "{{topic}}"),
                Query('sum by (topic) (precompute_consumer_lag{@,topic=~".*events[.].*"})', "{{topic}}"),
            ],
        ),
        Graph(
            title="Buffered in workers",
            why="Jobs read from Kafka and not started.",
            unit="short",
            queries=[Query("sum by (priority) (precompute_queue_depth{@})", "{{priority}}")],
            stacked=True,
        ),
        Graph(
            title="Oldest buffered job",
            why="Since its emission. Priorities 7 to 10 should stay within seconds.",
            unit="s",
            queries=[Query("max by (priority) (precompute_queue_oldest_age_seconds{@})", "{{priority}}")],
        ),
        Graph(
            title="Ended jobs",
            why="Throughput, whatever the end was.",
            unit="ops",
            queries=[
                Query("sum by (priority) (rate(precompute_jobs_finished_total{@}[$r]))", "{{priority}}")
            ],
            stacked=True,
        ),
        Graph(
            title="Waiting before the start (p95)",
            why="Job emitted to started.",
            unit="s",
            queries=[percentile("precompute_job_wait_seconds", "priority")],
        ),
        Graph(
            title="Put aside",
            why="Not run: shed under load, expired, superseded, held out, duplicate.",
            unit="ops",
            queries=[
                Query(
                    f"sum by (priority, result) (rate(precompute_jobs_finished_total{{@,{_PUT_ASIDE}}}[$r]))"
                    + _NONE,
                    "{{priority}} {{result}}",
                )
            ],
        ),
    ],
)

_TASKS = Row(
    "By task",
    [
        Graph(
            title="Running time (p95)",
            why="Of the handler alone.",
            unit="s",
            queries=[percentile("precompute_job_duration_seconds", "task")],
        ),
        Graph(
            title="Failures",
            why="Jobs that ended without an answer.",
            unit="ops",
            queries=[
                Query(
                    f"sum by (task, result) (rate(precompute_jobs_finished_total{{@,{_FAILED}}}[$r]))"
                    + _NONE,
                    "{{task}} {{result}}",
                )
            ],
        ),
        Graph(
            title="Failed attempts",
            why="Each is retried until its attempts are spent.",
            unit="ops",
            queries=[
                Query(
                    "sum by (task, reason) (rate(precompute_job_attempts_failed_total{@}[$r]))" + _NONE,
                    "{{task}} {{reason}}",
                )
            ],
        ),
        Graph(
            title="Ends",
            why="All ends of all jobs, by result.",
            unit="ops",
            queries=[Query("sum by (result) (rate(precompute_jobs_finished_total{@}[$r]))", "{{result}}")],
            stacked=True,
        ),
    ],
)

_GROUPS = Row(
    "Groups and servers",
    [
        Graph(
            title="Rebalances",
            why="One per deploy and replica is normal; a steady stream is a consumer that dies or is slow.",
            unit="short",
            queries=[Query("sum by (role) (increase(precompute_rebalances_total{@}[$r]))", "{{role}}")],
        ),
        Graph(
            title="Since the last commit",
            why="Of each role the process that has not committed for longest. Idle ones do not commit.",
            unit="s",
            queries=[
                Query("time() - min by (role) (precompute_last_commit_timestamp_seconds{@} > 0)", "{{role}}"),
            ],
        ),
        Graph(
            title="Commits",
            why="Failed ones are read again and found done.",
            unit="ops",
            queries=[Query("sum by (result) (rate(precompute_offset_commits_total{@}[$r]))", "{{result}}")],
        ),
        Graph(
            title="Redis and bookkeeping",
            why="Failed calls, history not mirrored, timelines not written for lack of room.",
            unit="ops",
            queries=[
                Query(
                    "sum by (operation) (rate(precompute_redis_errors_total{@}[$r]))" + _NONE,
                    "error {{operation}}",
                ),
                Query(
                    'sum(rate(precompute_mirror_flushes_total{@,result="failed"}[$r]))' + _NONE,
                    "mirror failed",
                ),
                Query("sum(rate(precompute_ledger_dropped_total{@}[$r]))", "timelines dropped"),
            ],
        ),
    ],
)

BOARD = Board(
    name="pipeline",
    title="Pipeline",
    why="Where work piles up, fails or is put aside, from the event to the answer.",
    rows=[_EVENTS, _PRIORITIES, _TASKS, _GROUPS],
)
