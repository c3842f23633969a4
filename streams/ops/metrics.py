"""Every metric of every role. Labels are bounded; ids are never labels; units are seconds and bytes."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SLOW = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)

# Streams
EVENTS = Counter("precompute_events_total", "Events read", ["event_type", "result"])
EVENTS_MISROUTED = Counter(
    "precompute_events_misrouted_total", "Events re-published to their right partition"
)
TRACEPARENTS_INVALID = Counter(
    "precompute_traceparents_invalid_total", "Events with jobs whose traceparent is none; it is ignored"
)
EVENT_TO_JOB = Histogram(
    "precompute_event_to_job_seconds", "Event in its topic to its jobs acknowledged", buckets=_FAST
)
JOBS_EMITTED = Counter("precompute_jobs_emitted_total", "Jobs written to Kafka", ["task", "priority", "why"])
JOBS_WITHHELD = Counter(
    "precompute_jobs_withheld_total",
    "Jobs left to whoever asks, since such answers were read too seldom",
    ["task", "why", "reason"],
)
PREDICTIONS = Counter("precompute_predictions_total", "Predicted actions", ["action_taken"])
PREDICTION_OUTCOMES = Counter(
    "precompute_prediction_outcomes_total", "Predictions compared with what happened", ["result"]
)
LOG_LOSS = Gauge("precompute_predictor_log_loss", "Prequential log-loss, moving average", ["model_version"])
CALIBRATION = Gauge("precompute_predictor_calibration_error", "Expected calibration error", ["model_version"])
PREDICTOR_DRIFTS = Counter("precompute_predictor_drifts_total", "Changes of the log-loss that ADWIN noticed")
TRAINING_WANTED = Gauge(
    "precompute_predictor_training_wanted", "1 since the log-loss rose, until another model serves"
)
SHADOW_GAIN = Gauge(
    "precompute_predictor_shadow_gain",
    "Log-loss a challenger saves over the model that serves, in nats, with its interval",
    ["bound"],
)
FLEET_LOAD = Gauge(
    "precompute_predictor_load", "Share of the fleet's capacity in use, as decisions about predictions see it"
)
PREDICTED_SECONDS_LEFT = Gauge(
    "precompute_predicted_seconds_left", "Computing seconds left of the global budget's window"
)
PREDICTOR_LIFT = Gauge(
    "precompute_predictor_lift", "Hit rate of treatment minus holdout, with its 95 % interval", ["bound"]
)
MIRROR_FLUSHES = Counter(
    "precompute_mirror_flushes_total", "Writes of history and inputs to Redis", ["result"]
)

# Worker
JOBS_FINISHED = Counter("precompute_jobs_finished_total", "Jobs that ended", ["task", "priority", "result"])
JOB_ATTEMPTS_FAILED = Counter("precompute_job_attempts_failed_total", "Failed attempts", ["task", "reason"])
JOB_WAIT = Histogram("precompute_job_wait_seconds", "Job emitted to started", ["priority"], buckets=_SLOW)
JOB_DURATION = Histogram("precompute_job_duration_seconds", "Handler's running time", ["task"], buckets=_SLOW)
JOB_EVENT_TO_CACHED = Histogram(
    "precompute_job_event_to_cached_seconds",
    "Event in its topic to its answer readable; for a job that no event asked for, since it was emitted",
    ["task", "why"],
    buckets=_SLOW,
)
COMPUTE_SECONDS = Counter(
    "precompute_compute_seconds_total", "Handlers' running time, by what asked for it", ["task", "why"]
)
JOBS_IN_PROGRESS = Gauge("precompute_jobs_in_progress", "Jobs running now", ["task"])
SLOTS = Gauge("precompute_worker_slots", "Jobs this worker may run at once")
QUEUE_DEPTH = Gauge("precompute_queue_depth", "Jobs buffered in this worker", ["priority"])
QUEUE_OLDEST = Gauge("precompute_queue_oldest_age_seconds", "Age of the oldest buffered job", ["priority"])
QUEUE_PAUSED = Gauge("precompute_queue_paused", "1 while the priority's partitions are paused", ["priority"])
JOBS_PARKED = Gauge("precompute_jobs_parked", "Jobs that wait for a limit of their task type")
OVERLOAD_LEVEL = Gauge("precompute_overload_level", "0 none, 1 sheds predictions, 2 sheds refreshing too")
PARTITIONS_WEDGED = Counter(
    "precompute_partitions_wedged_total", "Partitions that delivered nothing and were kicked"
)
JOBS_RESCUED = Counter(
    "precompute_head_of_line_rescues_total", "Jobs sent to a retry topic because they held a partition back"
)
OFFSET_WINDOW = Gauge("precompute_offset_window_used", "Records in hand of the fullest partition")
CHILD_DEATHS = Counter(
    "precompute_child_process_deaths_total", "Children that died or were killed", ["reason"]
)
COMMITS = Counter("precompute_offset_commits_total", "Offset commits", ["result"])
HANDLER_INFO = Gauge(
    "precompute_handler_info", "1, with the version of a task's handler in this worker", ["task", "version"]
)
LAST_COMMIT = Gauge(
    "precompute_last_commit_timestamp_seconds", "When this process last committed offsets, Unix time"
)

# Both consumers
CONSUMER_LAG = Gauge("precompute_consumer_lag", "Records not yet committed", ["topic"])
REBALANCES = Counter("precompute_rebalances_total", "Rebalances seen by this process")
DEAD_LETTERS = Counter(
    "precompute_dead_letters_total", "Records sent to a dead-letter topic", ["source", "reason"]
)

# Cache
CACHE_REQUESTS = Counter("precompute_cache_requests_total", "Reads", ["task", "result"])
CACHE_READ = Histogram("precompute_cache_read_seconds", "Time to answer a read", buckets=_FAST)
CACHE_PRECOMPUTED = Counter(
    "precompute_cache_precomputed_total", "What became of answers", ["task", "outcome"]
)
CACHE_INVALIDATIONS = Counter("precompute_cache_invalidations_total", "Answers invalidated")
CACHE_WRITES = Counter("precompute_cache_writes_total", "Writes of answers", ["task", "result"])
REDIS_ERRORS = Counter("precompute_redis_errors_total", "Failed calls to Redis", ["operation"])
LEDGER_DROPPED = Counter("precompute_ledger_dropped_total", "Job timelines not written, for lack of room")
COMPUTE_SAVED = Counter(
    "precompute_compute_saved_seconds_total", "Computing time that readers did not wait for"
)
COMPUTE_WASTED = Counter("precompute_compute_wasted_seconds_total", "Computing time of answers nobody read")

READERS_WAITING = Gauge("precompute_readers_waiting", "Readers that wait for an answer now")

# The fleet's servers, as the API sees them
REDIS_MEMORY_USED = Gauge("precompute_redis_memory_used_bytes", "Memory Redis uses")
REDIS_MEMORY_MAX = Gauge(
    "precompute_redis_memory_max_bytes", "Memory Redis may use; 0 where nothing limits it"
)

CERTIFICATE_EXPIRY = Gauge(
    "precompute_certificate_expiry_timestamp_seconds", "When a certificate in use ends, Unix time", ["kind"]
)
BUILD_INFO = Gauge("precompute_build_info", "1, with the version as a label", ["version", "role"])
