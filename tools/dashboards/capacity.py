"""How full the system is, and what it spends on what."""

from __future__ import annotations

from tools.dashboards.board import Board, Row
from tools.dashboards.panels import Figure, Graph, Query

_BUSY = "sum(precompute_jobs_in_progress{@}) / sum(precompute_worker_slots{@})"
_FULL = "max(precompute_redis_memory_used_bytes{@}) / (max(precompute_redis_memory_max_bytes{@}) > 0)"
#: Where no limit is set the share has no meaning; the figure then shows the bytes' graph alone.
_FULL_OR_ZERO = f"{_FULL} or vector(0)"
_ROLES = '@,job="precompute"'

_GLANCE = Row(
    "At a glance",
    [
        Figure(
            title="Busy slots",
            why="Jobs running, of the jobs that may run at once. Steadily above 0.8: add workers.",
            unit="percentunit",
            query=Query(_BUSY),
            bounds=((None, "green"), (0.8, "orange"), (0.95, "red")),
            decimals=0,
        ),
        Figure(
            title="Cache memory used",
            why="Of maxmemory; 0 where Redis has no limit.",
            unit="percentunit",
            query=Query(_FULL_OR_ZERO),
            bounds=((None, "green"), (0.8, "orange"), (0.9, "red")),
            decimals=0,
        ),
        Figure(
            title="Job slots",
            why="Jobs that may run at once in the whole fleet.",
            unit="short",
            query=Query("sum(precompute_worker_slots{@})"),
        ),
        Figure(
            title="Jobs per second",
            why="Ended jobs, whatever the end was.",
            unit="ops",
            query=Query("sum(rate(precompute_jobs_finished_total{@}[$r]))"),
            decimals=1,
        ),
    ],
)

_WORKERS = Row(
    "Workers",
    [
        Graph(
            title="Slots and running jobs",
            why="Running near the slots while the lag grows: too few workers. Far below: slow handlers.",
            unit="short",
            queries=[
                Query("sum(precompute_worker_slots{@})", "slots"),
                Query("sum by (task) (precompute_jobs_in_progress{@})", "{{task}}"),
            ],
        ),
        Graph(
            title="Computing by cause",
            why="Seconds per second: what predictions and refreshes cost beside real demand.",
            unit="s",
            queries=[Query("sum by (why) (rate(precompute_compute_seconds_total{@}[$r]))", "{{why}}")],
            stacked=True,
        ),
        Graph(
            title="Computing by task",
            why="Seconds per second: the most expensive task is the one to make cheaper.",
            unit="s",
            queries=[Query("sum by (task) (rate(precompute_compute_seconds_total{@}[$r]))", "{{task}}")],
            stacked=True,
        ),
        Graph(
            title="Paused priorities, deaths of child processes",
            why="A paused priority has a full buffer. A child dies of its memory limit or of its time.",
            unit="short",
            queries=[
                Query(
                    "sum by (priority) (precompute_queue_paused{@}) > 0 or vector(0)", "paused {{priority}}"
                ),
                Query(
                    "sum by (reason) (increase(precompute_child_process_deaths_total{@}[$r])) or vector(0)",
                    "death {{reason}}",
                ),
            ],
        ),
        Graph(
            title="Limits and overload",
            why="Level 1 sheds predictions, 2 refreshes too. Parked jobs wait for a limit of their task.",
            unit="short",
            queries=[
                Query("max(precompute_overload_level{@})", "overload level"),
                Query("sum(precompute_jobs_parked{@})", "parked"),
            ],
        ),
        Graph(
            title="Held-back partitions",
            why="Jobs moved out of the way of their partition, and partitions that had to be kicked.",
            unit="short",
            queries=[
                Query("sum(increase(precompute_head_of_line_rescues_total{@}[$r]))", "moved away"),
                Query("sum(increase(precompute_partitions_wedged_total{@}[$r]))", "kicked"),
            ],
        ),
    ],
)

_PROCESSES = Row(
    "Processes",
    [
        Graph(
            title="CPU by role",
            why="Cores used by the roles' own processes; children for CPU work count in computing, above.",
            unit="short",
            queries=[
                Query(f"sum by (role) (rate(process_cpu_seconds_total{{{_ROLES}}}[$r]))", "{{role}}"),
            ],
            stacked=True,
        ),
        Graph(
            title="Memory of the largest process by role",
            why="Compare with the limit: at the limit the process is killed.",
            unit="bytes",
            queries=[Query(f"max by (role) (process_resident_memory_bytes{{{_ROLES}}})", "{{role}}")],
        ),
        Graph(
            title="Replicas by version",
            why="Two versions outside a rollout: one that stopped half-way.",
            unit="short",
            queries=[Query("count by (role, version) (precompute_build_info{@})", "{{role}} {{version}}")],
            stacked=True,
        ),
        Graph(
            title="Workers by version of a handler",
            why="Two of a task outside a rollout: some workers answer otherwise than the others.",
            unit="short",
            queries=[Query("count by (task, version) (precompute_handler_info{@})", "{{task}} {{version}}")],
        ),
        Graph(
            title="Time left of certificates",
            why="Of those that the roles use towards Kafka. Nothing to see where the connection has no TLS.",
            unit="s",
            queries=[
                Query(
                    "min by (kind) (precompute_certificate_expiry_timestamp_seconds{@}) - time()", "{{kind}}"
                )
            ],
        ),
        Graph(
            title="Records in hand of the fullest partition",
            why="At PRECOMPUTE_OFFSET_WINDOW a partition is paused: one job holds up the commit.",
            unit="short",
            queries=[Query("max(precompute_offset_window_used{@})", "fullest")],
        ),
    ],
)

_CACHE = Row(
    "Cache",
    [
        Graph(
            title="Redis memory",
            why="Used and allowed. With noeviction a full Redis refuses answers.",
            unit="bytes",
            queries=[
                Query("max(precompute_redis_memory_used_bytes{@})", "used"),
                Query("max(precompute_redis_memory_max_bytes{@})", "allowed"),
            ],
        ),
        Graph(
            title="Writes of answers",
            why="By result; refused writes are answers that came too late, or twice.",
            unit="ops",
            queries=[Query("sum by (result) (rate(precompute_cache_writes_total{@}[$r]))", "{{result}}")],
            stacked=True,
        ),
    ],
)

BOARD = Board(
    name="capacity",
    title="Capacity",
    why="How full is the fleet, what does it spend its time on, when is more needed?",
    rows=[_GLANCE, _WORKERS, _PROCESSES, _CACHE],
)
