"""An honest evaluation of any log: split by time, scored in order, next to simple baselines."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from predictor.dataset import Record, pool_rare
from predictor.history import SESSION_GAP_MS, Action, History
from predictor.metrics import Scorer, Scores
from predictor.mixture import Pool, fit_pool, pool_logs
from predictor.ngram import Ngram, NgramConfig
from predictor.replay import Lesson, Question, outcomes_of, replay_log
from predictor.situation import DEPTH, describe
from predictor.training import TrainingConfig, name_outcomes, train_blend, until_question
from predictor.vocabulary import NOTHING_ID, Vocabulary
from streams.contracts.errors import ContractError

#: Classic forest of the baseline, as in the public comparisons: 100 trees, leaves of 5.
_PLAIN_TREES, _PLAIN_LEAF = 100, 5
#: Positions the plain forest is grown on at most: its memory grows with them.
_PLAIN_POSITIONS = 100_000
#: Questions it is asked at once.
_CHUNK = 20_000


class Split(msgspec.Struct, frozen=True):
    """Shares of the questions in order of time; what is left after both is the test."""

    train: float = 0.7
    validation: float = 0.1

    @classmethod
    def parse(cls, text: str) -> Split:
        """Reads 70/10/20: per cent, in sum 100."""
        try:
            train, validation, test = (float(part) for part in text.split("/"))
        except ValueError:
            train = validation = test = 0.0
        if min(train, validation, test) <= 0 or abs(train + validation + test - 100) > 1e-6:
            raise ContractError(
                f"split {text!r}: write train/validation/test in per cent, for example 70/10/20",
                field="split",
            )
        return cls(train / 100, validation / 100)

    def counts(self, questions: int) -> tuple[int, int]:
        """(train, validation) in questions."""
        train = int(questions * self.train)
        return train, int(questions * (self.train + self.validation) + 1e-9) - train


class Evaluated(Protocol):
    """What a test needs of a model: probabilities by its vocabulary's columns, and lessons."""

    def ask(self, history: History, now_ms: int) -> Sequence[float]: ...

    def column(self, outcome: str) -> int: ...

    def observe(self, history: History, action: Action) -> None: ...


class Asked:
    """A model and its vocabulary, seen as `Evaluated`."""

    def __init__(self, model: Any, vocabulary: Vocabulary, *, learns: bool = True) -> None:
        self._model = model
        self.column = vocabulary.id_of
        self._learns = learns

    def ask(self, history: History, now_ms: int) -> Sequence[float]:
        probabilities: Sequence[float] = self._model.predict(history, now_ms).probabilities
        return probabilities

    def observe(self, history: History, action: Action) -> None:
        if self._learns:
            self._model.observe(history, action)


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The blend's scorer and every baseline's, on the same test questions."""

    blend: Scorer
    baselines: dict[str, Scorer]
    train: int
    validation: int

    def as_json(self) -> dict[str, Any]:
        """The shape that `precompute predictor evaluate --json` prints."""
        scores = self.blend.scores()
        return _figures(scores) | {
            "n_test": scores.n,
            "n_train": self.train,
            "n_validation": self.validation,
            "protocol": "online",
            "baselines": {name: _figures(scorer.scores()) for name, scorer in self.baselines.items()},
        }


def evaluate(
    records: Sequence[Record],
    split: Split,
    *,
    config: TrainingConfig | None = None,
    gap_ms: int = SESSION_GAP_MS,
    baselines: bool = True,
) -> Evaluation:
    """Trains and validates on the oldest questions, scores the newest; rare actions are pooled.

    The blend and the n-gram learn from a test question after it was scored ("online"), the other baselines
    do not.
    """
    records = pool_rare(records)
    outcomes = outcomes_of(records)
    train, validation = split.counts(len(outcomes))
    names = name_outcomes(outcomes[: train + validation])
    items = replay_log(records, gap_ms=gap_ms)
    settings = config if config is not None else TrainingConfig()
    blend = train_blend(items, names, settings, train=train, validation=validation, version="evaluated")
    scorer = score_rest(Asked(blend, blend.state.vocabulary), items)
    others = (
        {name: build(records, names, train, validation, gap_ms) for name, build in BASELINES.items()}
        if baselines
        else {}
    )
    return Evaluation(blend=scorer, baselines=others, train=train, validation=validation)


def score_rest(model: Evaluated, items: Any) -> Scorer:
    """Asks the model every question left in a replay, and teaches it every lesson."""
    scorer = Scorer()
    for item in items:
        if isinstance(item, Lesson):
            model.observe(item.history, item.action)
        else:
            scorer.add(model.ask(item.history, item.at_ms), model.column(item.outcome))
    return scorer


def _figures(scores: Scores) -> dict[str, Any]:
    return {
        "top1": round(scores.top1, 4),
        "top3": round(scores.top3, 4),
        "log_loss": round(scores.log_loss, 4),
        "ece": round(scores.ece, 4),
    }


_Baseline = Callable[[Sequence[Record], Sequence[str], int, int, int], Scorer]


def _counting(config: NgramConfig, *, online: bool) -> _Baseline:
    """A baseline that counts: an n-gram of that order, frozen before the test or not."""

    def build(
        records: Sequence[Record], names: Sequence[str], train: int, validation: int, gap: int
    ) -> Scorer:
        model = Ngram(config, names=names)
        items = replay_log(records, gap_ms=gap)
        for item in until_question(items, train + validation):
            if isinstance(item, Lesson):
                model.observe(item.history, item.action)
        return score_rest(Asked(model, model.vocabulary, learns=online), items)

    return build


def _plain_forest(
    records: Sequence[Record], names: Sequence[str], train: int, validation: int, gap: int
) -> Scorer:
    """Last six ids one-hot and the situation's numbers, 100 trees, temperature from validation; no counts."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - only evaluation needs it

    asked = _questions(records, Vocabulary(names), gap)
    forest = RandomForestClassifier(_PLAIN_TREES, min_samples_leaf=_PLAIN_LEAF, random_state=0, n_jobs=2)
    first = max(0, train - _PLAIN_POSITIONS)
    forest.fit(asked.inputs(first, train, len(names)), asked.outcomes[first:train])
    scorer, temperature = Scorer(), None
    start = train + max(0, validation - _CHUNK)
    for stop in [
        train + validation,
        *range(train + validation + _CHUNK, len(asked.outcomes) + _CHUNK, _CHUNK),
    ]:
        logs = np.full((1, min(stop, len(asked.outcomes)) - start, len(names)), np.log(1e-4), np.float32)
        logs[0][:, forest.classes_] = np.log(
            forest.predict_proba(asked.inputs(start, stop, len(names))) + 1e-4
        )
        if temperature is None:
            fitted = fit_pool(logs, asked.outcomes[start:stop])
            temperature = Pool(fitted.weights, np.zeros_like(fitted.bias))
        else:
            answers = np.exp(pool_logs(logs, temperature)).tolist()
            for row, outcome in zip(answers, asked.outcomes[start:stop].tolist(), strict=True):
                scorer.add(row, outcome)
        start = stop
    return scorer


class _Questions(NamedTuple):
    """Every question of a log: ids [n, 6], numbers [n, 7], outcome ids [n]."""

    ids: Any
    numbers: Any
    outcomes: Any

    def inputs(self, start: int, stop: int, names: int) -> Any:
        """Ids one-hot and numbers, for a slice: all at once would not fit for a long log."""
        ids = self.ids[start:stop].astype(np.int64)
        ids = np.where(ids >= NOTHING_ID, ids - NOTHING_ID + names, ids)
        hot = np.zeros((len(ids), DEPTH, names + 2), np.float32)
        np.put_along_axis(hot, ids[:, :, None], 1.0, axis=2)
        return np.concatenate([hot.reshape(len(ids), -1), self.numbers[start:stop]], axis=1)


def _questions(records: Sequence[Record], vocabulary: Vocabulary, gap: int) -> _Questions:
    ids, outcomes = bytearray(), bytearray()
    numbers = array("f")
    for item in replay_log(records, gap_ms=gap):
        if isinstance(item, Question):
            situation = describe(item.history, item.at_ms, vocabulary)
            ids += bytes(situation.ids)
            numbers.extend(situation.numbers)
            outcomes.append(vocabulary.id_of(item.outcome))
    n = len(outcomes)
    return _Questions(
        np.frombuffer(ids, np.uint8).reshape(n, DEPTH),
        np.frombuffer(numbers, np.float32).reshape(n, -1),
        np.frombuffer(outcomes, np.uint8).astype(np.int64),
    )


#: name -> how it is built and scored: (records, names, train, validation, gap in ms).
BASELINES: dict[str, _Baseline] = {
    "prior": _counting(NgramConfig(order=0, user_order=0), online=False),
    "markov1": _counting(NgramConfig(order=1, user_order=0), online=False),
    "markov2": _counting(NgramConfig(order=2, user_order=0), online=False),
    "ngram": _counting(NgramConfig(), online=True),
    "forest": _plain_forest,
}
