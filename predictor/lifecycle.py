"""A version's life: trained from a log, measured on its newest part, compared with the one that serves."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from predictor.archive import ModelFacts, ModelMeta, dump_blend
from predictor.blend import Blend
from predictor.dataset import Record, pool_rare
from predictor.evaluation import Asked, score_rest
from predictor.history import SESSION_GAP_MS
from predictor.registry import Registry
from predictor.replay import Lesson, outcomes_of, replay_log
from predictor.shadow import Comparison, Shadow, ShadowConfig
from predictor.training import TrainingConfig, name_outcomes, train_blend
from streams.contracts.clock import SYSTEM_CLOCK, Clock, millis

#: The newest part of a log only measures (and is counted, after it was scored), the part before it
#: chooses the weights: neither is seen by the first forest.
TEST_SHARE, VALIDATION_SHARE = 0.15, 0.10


class TrainingSource(msgspec.Struct, frozen=True):
    """Where a log came from, and whether it was invented."""

    name: str
    synthetic: bool = False


def train_version(
    records: Sequence[Record],
    source: TrainingSource,
    registry: Registry,
    *,
    config: TrainingConfig | None = None,
    clock: Clock = SYSTEM_CLOCK,
    gap_ms: int = SESSION_GAP_MS,
) -> ModelMeta:
    """Trains a blend, measures it on the newest part of the log and stores it. It does not serve yet."""
    pooled = pool_rare(records)
    outcomes = outcomes_of(pooled)
    train = int(len(outcomes) * (1 - TEST_SHARE - VALIDATION_SHARE))
    validation = int(len(outcomes) * VALIDATION_SHARE)
    items = replay_log(pooled, gap_ms=gap_ms)
    blend = train_blend(
        items,
        name_outcomes(outcomes[: train + validation]),
        config if config is not None else TrainingConfig(),
        train=train,
        validation=validation,
        version="training",
    )
    scores = score_rest(Asked(blend, blend.state.vocabulary), items).scores()
    facts = ModelFacts(
        created_at=millis(clock.now()),
        source=source.name,
        synthetic=source.synthetic,
        first_ms=min(record.at_ms for record in records),
        last_ms=max(record.at_ms for record in records),
        positions=len(outcomes),
        measured_on=f"the newest {scores.n} positions, online",
        metrics={
            "top1": scores.top1,
            "top3": scores.top3,
            "log_loss": scores.log_loss,
            "ece": scores.ece,
        },
    )
    return registry.add(dump_blend(blend, facts))


def compare_on(
    records: Sequence[Record],
    champion: Blend,
    challenger: Blend,
    *,
    after_ms: int,
    config: ShadowConfig | None = None,
    gap_ms: int = SESSION_GAP_MS,
) -> Comparison:
    """Scores two models on the same questions, those asked after `after_ms`; both learn as they go.

    `after_ms` is the end of the later training's data: on older questions a model was trained.
    """
    shadow = Shadow(config)
    for item in replay_log(records, gap_ms=gap_ms):
        if isinstance(item, Lesson):
            if item.action.at_ms <= after_ms:
                continue
            champion.observe(item.history, item.action)
            challenger.observe(item.history, item.action)
        elif item.at_ms > after_ms:
            first = champion.predict(item.history, item.at_ms)
            shadow.add(first, challenger.predict(item.history, item.at_ms), item.outcome)
    return shadow.compare()
