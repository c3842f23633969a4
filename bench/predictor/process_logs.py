"""Process logs: a fixed model, published splits, top-1 alone."""

from __future__ import annotations

from bench.predictor.logs import ProcessLog
from predictor.dataset import Record
from predictor.forest import ForestConfig
from predictor.history import END
from predictor.ngram import Ngram, NgramConfig
from predictor.replay import Lesson, Question, outcomes_of, replay_log
from predictor.training import TrainingConfig, name_outcomes, train_blend

#: Share of the training cases, the first, that grows the forest; the others weigh the opinions.
_TRAIN_SHARE = 0.8
#: The forest that serves, and a finer one: cases are few and nobody waits. The validation cases choose.
FORESTS = (ForestConfig(), ForestConfig(trees=60, min_leaf=8, max_features=25, max_depth=18))


def measure(log: ProcessLog) -> dict[str, float]:
    """Top-1 of the blend and of Markov-1 on the test cases."""
    cases = list(dict.fromkeys(record.user for record in log.train))
    early = set(cases[: int(len(cases) * _TRAIN_SHARE)])
    train = [record for record in log.train if record.user in early]
    validation = [record for record in log.train if record.user not in early]
    counts = [len(outcomes_of(part)) for part in (train, validation)]
    names = name_outcomes(outcomes_of(log.train))
    blends = [
        train_blend(
            _one_after_the_other(train, validation, log.gap_ms),
            names,
            TrainingConfig(forest=forest),
            train=counts[0],
            validation=counts[1],
            version=log.name,
        )
        for forest in FORESTS
    ]
    blend = min(blends, key=lambda trained: trained.parts.validation_loss)
    blend.state.learning = False
    markov = Ngram(NgramConfig(order=1, user_order=0), names=names)
    for item in replay_log(log.train, gap_ms=log.gap_ms):
        if isinstance(item, Lesson):
            markov.observe(item.history, item.action)
    return {"blend": _top1(blend, log), "markov1": _top1(markov, log, learns=False)}


def _one_after_the_other(train: list[Record], validation: list[Record], gap_ms: int):
    """Whole cases stay together: a cut through time would leave only the ends of long ones after it."""
    number = 0
    for part in (train, validation):
        for item in replay_log(part, gap_ms=gap_ms):
            if isinstance(item, Question):
                yield item._replace(number=number)
                number += 1
            else:
                yield item


def _top1(model, log: ProcessLog, *, learns: bool = True) -> float:
    """With `learns`, the model keeps each case's own past; what cases share is frozen."""
    hits = scored = 0
    records: list[Record] = list(log.test)
    for item in replay_log(records, gap_ms=log.gap_ms):
        if isinstance(item, Lesson):
            if learns:
                model.observe(item.history, item.action)
        elif item.history.total >= log.min_prefix and (log.scores_end or item.outcome != END):
            hits += model.predict(item.history, item.at_ms).top[0] == item.outcome
            scored += 1
    return hits / scored
