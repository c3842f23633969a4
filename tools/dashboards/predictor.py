"""How good predictions are, what is done with them and what that costs."""

from __future__ import annotations

from tools.dashboards.board import Board, Row
from tools.dashboards.panels import Figure, Graph, Query

_OUTCOMES = "sum(rate(precompute_prediction_outcomes_total{@}[$r]))"
_TOP1 = 'sum(rate(precompute_prediction_outcomes_total{@,result="top1"}[$r]))'
_TOP3 = 'sum(rate(precompute_prediction_outcomes_total{@,result=~"top1|top3"}[$r]))'
_PREDICTED_S = 'sum(rate(precompute_compute_seconds_total{@,why="predicted"}[$r]))'

_GLANCE = Row(
    "At a glance",
    [
        Figure(
            title="Right at first guess",
            why="The most probable action was the one that came.",
            unit="percentunit",
            query=Query(f"{_TOP1} / {_OUTCOMES}"),
            decimals=1,
        ),
        Figure(
            title="Among the first three",
            why="What speculation can hope to hit.",
            unit="percentunit",
            query=Query(f"{_TOP3} / {_OUTCOMES}"),
            bounds=((None, "red"), (0.3, "orange"), (0.5, "green")),
            decimals=1,
        ),
        Figure(
            title="Calibration error",
            why="Mean distance of what is said from what comes; 0 is honest. Above 0.1 the budget is misled.",
            unit="percentunit",
            query=Query("max(precompute_predictor_calibration_error{@})"),
            bounds=((None, "green"), (0.1, "orange"), (0.2, "red")),
            decimals=1,
        ),
        Figure(
            title="Computing spent on predictions",
            why="Share of all computing time.",
            unit="percentunit",
            query=Query(
                f"({_PREDICTED_S} or vector(0)) / sum(rate(precompute_compute_seconds_total{{@}}[$r]))"
            ),
            decimals=1,
        ),
    ],
)

_QUALITY = Row(
    "Quality",
    [
        Graph(
            title="Outcomes",
            why="Each prediction, compared with the action that came.",
            unit="ops",
            queries=[
                Query("sum by (result) (rate(precompute_prediction_outcomes_total{@}[$r]))", "{{result}}")
            ],
            stacked=True,
        ),
        Graph(
            title="Log-loss by version",
            why="Mean -ln of the probability given to what came, moving average; lower is better.",
            unit="short",
            queries=[Query("max by (model_version) (precompute_predictor_log_loss{@})", "{{model_version}}")],
        ),
        Graph(
            title="Calibration error by version",
            why="Expected calibration error of the top prediction over ten bins.",
            unit="percentunit",
            queries=[
                Query(
                    "max by (model_version) (precompute_predictor_calibration_error{@})", "{{model_version}}"
                )
            ],
        ),
        Graph(
            title="Gain of the version in the shadow",
            why="Log-loss it saves, in nats, and its interval; above 0: better. Empty without a challenger.",
            unit="short",
            queries=[Query("avg by (bound) (precompute_predictor_shadow_gain{@})", "{{bound}}")],
            signed=True,
        ),
        Graph(
            title="Training wanted",
            why="1 since the log-loss of the version that serves rose for good, until another one serves.",
            unit="short",
            queries=[Query("max(precompute_predictor_training_wanted{@})", "wanted")],
        ),
        Graph(
            title="Processes by version of the model",
            why="More than one outside a promotion is a rollout that stopped half-way.",
            unit="short",
            queries=[
                Query("count by (model_version) (precompute_predictor_log_loss{@})", "{{model_version}}")
            ],
            stacked=True,
        ),
    ],
)

_ACTING = Row(
    "Acting",
    [
        Graph(
            title="Predictions, acted on or not",
            why="Acted on: probability times benefit exceeds the cost under today's load.",
            unit="ops",
            queries=[
                Query("sum by (action_taken) (rate(precompute_predictions_total{@}[$r]))", "{{action_taken}}")
            ],
            stacked=True,
        ),
        Graph(
            title="Load, as decisions see it",
            why="Share of the fleet's capacity in use: the higher, the surer a prediction must be.",
            unit="percentunit",
            queries=[Query("max(precompute_predictor_load{@})", "load")],
        ),
        Graph(
            title="Left of the global budget",
            why="Computing seconds of its window of five minutes; at zero nothing predicted is computed.",
            unit="s",
            queries=[Query("min(precompute_predicted_seconds_left{@})", "left")],
        ),
        Graph(
            title="Lift in hit rate",
            why="Hit rate of treatment minus holdout, and its 95 % interval; below zero predictions do harm.",
            unit="percentunit",
            queries=[Query("max by (bound) (precompute_predictor_lift{@})", "{{bound}}")],
            signed=True,
        ),
        Graph(
            title="Predicted and held-out jobs",
            why="Held-out jobs are scored, not run: the control group that the lift is measured against.",
            unit="ops",
            queries=[
                Query('sum(rate(precompute_jobs_emitted_total{@,why="predicted"}[$r]))', "predicted"),
                Query(
                    'sum(rate(precompute_jobs_finished_total{@,result="held_out"}[$r])) or vector(0)',
                    "held out",
                ),
            ],
        ),
        Graph(
            title="Computing spent on predictions by task",
            why="Seconds per second: one is a CPU, or a provider, kept busy.",
            unit="s",
            queries=[
                Query(
                    'sum by (task) (rate(precompute_compute_seconds_total{@,why="predicted"}[$r]))',
                    "{{task}}",
                )
            ],
            stacked=True,
        ),
        Graph(
            title="What became of answers",
            why="Read, expired unread, invalidated: unread is waste.",
            unit="ops",
            queries=[
                Query(
                    "sum by (outcome) (rate(precompute_cache_precomputed_total{@}[$r])) or vector(0)",
                    "{{outcome}}",
                )
            ],
            stacked=True,
        ),
        Graph(
            title="Saved and wasted computing",
            why="Seconds per second: answers read at least once, and answers that expired unread.",
            unit="s",
            queries=[
                Query("sum(rate(precompute_compute_saved_seconds_total{@}[$r]))", "saved"),
                Query("sum(rate(precompute_compute_wasted_seconds_total{@}[$r]))", "wasted"),
            ],
        ),
        Graph(
            title="Read, of all that was precomputed, by task",
            why="Of those read or expired unread. Low: predicted too boldly, or expired too soon.",
            unit="percentunit",
            queries=[
                Query(
                    'sum by (task) (rate(precompute_cache_precomputed_total{@,outcome="read"}[$r])) '
                    "/ sum by (task) "
                    '(rate(precompute_cache_precomputed_total{@,outcome=~"read|expired_unread"}[$r]))',
                    "{{task}}",
                )
            ],
        ),
    ],
)

BOARD = Board(
    name="predictor",
    title="Predictor",
    why="Is the next action predicted well, is acting on it worth it, which version does it?",
    rows=[_GLANCE, _QUALITY, _ACTING],
)
