"""The ceiling: what a model would reach that had seen the test itself, but only the last actions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from predictor.dataset import Record
from predictor.replay import Question, replay_log


def oracle_top1(records: Sequence[Record], first: int, order: int) -> float:
    """Top-1 of the most frequent outcome of each context of `order` ids, counted on the test questions.

    The contexts are fitted on what they are scored on, so the figure is an upper bound for any predictor
    that sees the last `order` actions alone; contexts seen once count as right.
    """
    seen: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for item in replay_log(records):
        if isinstance(item, Question) and item.number >= first:
            context = tuple(action.name for action in item.history.actions[-order:])
            seen[context][item.outcome] += 1
    total = sum(sum(counts.values()) for counts in seen.values())
    return sum(max(counts.values()) for counts in seen.values()) / total
