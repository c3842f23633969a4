"""Small logs and trained models that several tests share."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from predictor.archive import ModelFacts, dump_blend
from predictor.blend import Blend
from predictor.dataset import Record
from predictor.forest import ForestConfig
from predictor.history import Action, History, replay
from predictor.prior import synthetic_records
from predictor.replay import outcomes_of, replay_log
from predictor.training import TrainingConfig, name_outcomes, train_blend

SHARED = Path(__file__).parents[3].parent / "shared" / "data"

QUICK = TrainingConfig(forest=ForestConfig(trees=5, max_depth=6, jobs=1), refit=False)


@cache
def small_log() -> tuple[Record, ...]:
    """About 3,000 invented actions of 20 users."""
    return tuple(synthetic_records(600, users=20))


def trained_blend() -> Blend:
    """A quickly trained blend of its own for each caller, because blends learn."""
    from predictor.archive import load_blend  # noqa: PLC0415 - the cached files come first

    return load_blend(model_files())[0]


@cache
def model_files() -> dict[str, bytes]:
    """The files of a small model."""
    records = small_log()
    outcomes = outcomes_of(records)
    train, validation = int(len(outcomes) * 0.7), int(len(outcomes) * 0.1)
    blend = train_blend(
        replay_log(records),
        name_outcomes(outcomes[: train + validation]),
        QUICK,
        train=train,
        validation=validation,
        version="small",
    )
    facts = ModelFacts(
        created_at=1_700_000_000_000, source="test", synthetic=True, first_ms=0, last_ms=1, positions=9
    )
    return dump_blend(blend, facts)


def history_of(*names: str, user: str = "u1", step_ms: int = 5_000) -> History:
    """A history of these actions, `step_ms` apart."""
    return replay(user, [Action(name, 1_000_000 + i * step_ms) for i, name in enumerate(names)])
