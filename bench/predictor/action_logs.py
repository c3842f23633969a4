"""Action logs: 70/10/20 by time, every test question kept for the figures and the plots."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.predictor.cache_replay import Asked
from bench.predictor.oracle import oracle_top1
from predictor.dataset import Record
from predictor.evaluation import BASELINES, Split
from predictor.metrics import Scorer
from predictor.replay import Lesson, outcomes_of, replay_log
from predictor.training import TrainingConfig, name_outcomes, train_blend

SPLIT = Split(0.7, 0.1)
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


class Measured(NamedTuple):
    """One log's figures; `questions` are what the cache replay needs."""

    figures: dict[str, Any]
    scorer: Scorer
    questions: list[Asked]


def measure(records: Sequence[Record], *, baselines: Sequence[str]) -> Measured:
    """Trains, then asks and learns through the test; times both."""
    outcomes = outcomes_of(records)
    train, validation = SPLIT.counts(len(outcomes))
    names = name_outcomes(outcomes[: train + validation])
    items = replay_log(records)
    started = time.perf_counter()
    blend = train_blend(items, names, TrainingConfig(), train=train, validation=validation, version="bench")
    trained_s = time.perf_counter() - started
    scorer, questions = Scorer(), []
    for item in items:
        if isinstance(item, Lesson):
            blend.observe(item.history, item.action)
            continue
        probabilities = blend.predict(item.history, item.at_ms).probabilities
        column = blend.state.vocabulary.id_of(item.outcome)
        scorer.add(probabilities, column)
        likely = {name: p for name, p in enumerate(probabilities) if p > THRESHOLDS[0] and name}
        questions.append(Asked(item.history.user_id, item.at_ms, likely, column))
    others = {
        name: BASELINES[name](records, names, train, validation, 1_800_000).scores() for name in baselines
    }
    figures = {
        "positions": len(outcomes),
        "classes": len(set(outcomes)),
        "train_s": round(trained_s, 1),
        "forest_bytes": len(blend.parts.forest.onnx),
        "blend": scorer.scores(),
        "baselines": others,
        "thresholds": [(t, *scorer.at_threshold(t)) for t in THRESHOLDS],
        "reliability": scorer.bins(),
        "oracle": {order: oracle_top1(records, train + validation, order) for order in (1, 2, 3, 4)},
    }
    return Measured(figures, scorer, questions)
