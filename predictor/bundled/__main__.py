"""Makes the shipped model's files again."""

from __future__ import annotations

from pathlib import Path

from predictor.archive import ModelFacts, dump_blend
from predictor.dataset import Record
from predictor.forest import ForestConfig
from predictor.prior import SYNTHETIC, synthetic_records
from predictor.replay import outcomes_of, replay_log
from predictor.training import TrainingConfig, name_outcomes, train_blend

#: Small: there is little to learn from an invented chain, and it ships with every installation.
_FOREST = ForestConfig(trees=12, max_depth=7, jobs=1)
#: 1 January 2026: the invented population's own time, so that the files do not depend on the day.
_CREATED_MS = 1_767_225_600_000


def make(records: list[Record]) -> dict[str, bytes]:
    """The files of a blend trained on all of `records`, without its invented users."""
    outcomes = outcomes_of(records)
    train = int(len(outcomes) * 0.85)
    blend = train_blend(
        replay_log(records),
        name_outcomes(outcomes),
        TrainingConfig(forest=_FOREST),
        train=train,
        validation=len(outcomes) - train,
        version=SYNTHETIC,
    )
    blend.state.forget_users()
    # Real counts shall soon outweigh the invented ones.
    blend.state.bank.scale(0.1)
    facts = ModelFacts(
        created_at=_CREATED_MS,
        source="an invented population",
        synthetic=True,
        first_ms=min(record.at_ms for record in records),
        last_ms=max(record.at_ms for record in records),
        positions=len(outcomes),
        measured_on="nothing: it has learned from nobody real",
    )
    return dump_blend(blend, facts)


if __name__ == "__main__":
    for name, data in make(synthetic_records(9_000, users=300)).items():
        (Path(__file__).parent / name).write_bytes(data)
