"""From a log to a blend: replay, pool the experts, grow the forest, pool both on validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from predictor.blend import Blend, BlendParts
from predictor.experts import Floats
from predictor.features import FeatureState, Observed, forest_inputs
from predictor.forest import Forest, ForestConfig, train_forest
from predictor.history import END, LOGIN, OTHER
from predictor.mixture import Pool, fit_pool, pool_logs
from predictor.replay import Lesson, Question
from streams.contracts.errors import ConfigurationError, ContractError


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a blend is trained."""

    forest: ForestConfig = ForestConfig()
    #: Share of the training slice whose counts are still too young to weigh experts by.
    burn_in: float = 0.2
    #: Share of it that is too young for the forest.
    forest_burn_in: float = 0.1
    #: Most positions a fit looks at, evenly spread: bounds time and memory on long logs.
    max_positions: int = 120_000
    #: Most positions times outcomes: with many outcomes fewer positions fit into a gigabyte.
    max_cells: int = 6_000_000
    #: Most bytes of the forest; leaves are made larger until it fits.
    max_forest_bytes: int = 14_000_000
    #: Most positions the experts' weights are fitted on; they are few, so more would change nothing.
    max_pooled: int = 20_000
    #: Ridge of the final pool, which is fitted on the small validation slice.
    ridge: float = 1e-3
    #: With fewer positions to train and to validate on, a blend would fit noise.
    min_train: int = 100
    min_validation: int = 20
    #: Whether the forest is grown again on training and validation once the weights are chosen.
    refit: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.burn_in < 1 or not 0 <= self.forest_burn_in < 1:
            raise ConfigurationError("burn_in and forest_burn_in are shares: 0 up to 1")
        if self.max_positions < 1_000:
            raise ConfigurationError("max_positions is at least 1000")


class Observations(NamedTuple):
    """Positions as they looked when they were asked, and what came."""

    numbers: Any
    logs: Floats
    observed: Observed
    outcomes: Any


def name_outcomes(outcomes: Iterable[str]) -> list[str]:
    """END, OTHER, then the names by frequency: the order that forests see them in."""
    counted = Counter(outcomes)
    return [END, OTHER, *(name for name, _ in counted.most_common() if name not in (END, OTHER, LOGIN))]


def train_blend(
    items: Iterator[Lesson | Question],
    names: Sequence[str],
    config: TrainingConfig,
    *,
    train: int,
    validation: int,
    version: str,
) -> Blend:
    """Trains on the first `train` questions of a replay, chooses weights on the next `validation` ones.

    `names` are the outcomes to predict (`name_outcomes`). Exactly `train + validation` questions are taken
    from `items`; what remains there was not looked at. Raises `ContractError` where a slice is too small.
    """
    if train < config.min_train or validation < config.min_validation:
        raise ContractError(
            f"{train} positions to train and {validation} to validate on are too few; {config.min_train} and "
            f"{config.min_validation} are the least: collect more actions"
        )
    total = train + validation
    state = FeatureState(names)
    seen = _observe(items, state, total, config)
    pool = _pool_experts(seen, int(train * config.burn_in), train, config.max_pooled, state.trained)
    mixed = pool_logs(seen.logs[:, :, : state.trained], pool)
    inputs = forest_inputs(seen.observed, mixed, state.trained)
    first = int(train * config.forest_burn_in)
    forest = _grow(seen, inputs, first, train, config)
    late = seen.numbers >= train
    opinions = _opinions(seen.logs[:, late, : state.trained], mixed[late], inputs[late], forest)
    final = fit_pool(opinions, seen.outcomes[late], ridge=config.ridge)
    answers = pool_logs(opinions, final)
    loss = -float(answers[np.arange(len(answers)), seen.outcomes[late]].mean())
    if config.refit:
        forest = _grow(seen, inputs, first, total, config)
    return Blend(state, BlendParts(pool, forest, final, loss), version=version)


def _observe(
    items: Iterator[Lesson | Question], state: FeatureState, total: int, config: TrainingConfig
) -> Observations:
    """Replays the first `total` positions; keeps at most `max_positions` of them, evenly spread.

    `Observed.logs` and `Observations.logs` are the same array.
    """
    most = min(config.max_positions, config.max_cells // state.width, total)
    kept: list[Observed] = []
    numbers, outcomes = [], []
    for item in until_question(items, total):
        if isinstance(item, Lesson):
            state.observe(item.history, item.action)
        elif is_sampled(item.number, most, total):
            kept.append(state.look_at((item.history,), item.at_ms))
            numbers.append(item.number)
            outcomes.append(state.vocabulary.id_of(item.outcome))
    logs = np.concatenate([observed.logs for observed in kept], axis=1)
    situations = [situation for observed in kept for situation in observed.situations]
    recent = np.concatenate([observed.recent for observed in kept])
    return Observations(np.array(numbers), logs, Observed(situations, logs, recent), np.array(outcomes))


def is_sampled(number: int, most: int, total: int) -> bool:
    """Whether `number` is among the `most` of 0 .. total - 1 that are evenly spread; exactly so many are."""
    return number * most % total < most


def until_question(items: Iterator[Lesson | Question], total: int) -> Iterator[Lesson | Question]:
    """The items up to and with the question number `total - 1`."""
    for item in items:
        yield item
        if isinstance(item, Question) and item.number == total - 1:
            return


def _pool_experts(seen: Observations, first: int, stop: int, most: int, trained: int) -> Pool:
    inside = np.flatnonzero((seen.numbers >= first) & (seen.numbers < stop))
    inside = inside[:: -(-len(inside) // most)]
    return fit_pool(seen.logs[:, inside, :trained], seen.outcomes[inside])


def _grow(seen: Observations, inputs: Floats, first: int, stop: int, config: TrainingConfig) -> Forest:
    inside = (seen.numbers >= first) & (seen.numbers < stop)
    settings = config.forest
    forest = train_forest(inputs[inside], seen.outcomes[inside], settings)
    while len(forest.onnx) > config.max_forest_bytes and settings.min_leaf < inside.sum():
        settings = msgspec.structs.replace(settings, min_leaf=2 * settings.min_leaf)
        forest = train_forest(inputs[inside], seen.outcomes[inside], settings)
    return forest


def _opinions(logs: Floats, mixed: Floats, inputs: Floats, forest: Forest) -> Floats:
    """[experts + 1, n, trained]: the experts and the forest, as `Blend.probabilities` weighs them."""
    opinion = mixed.copy()
    opinion[:, forest.columns] = forest.predict(inputs)
    return np.concatenate([logs, opinion[None]])
