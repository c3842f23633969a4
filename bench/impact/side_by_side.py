"""Replays on all cores: each is seeded by itself, so what comes out does not hang on who ran beside it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from bench.impact.replays import Stage

Item = TypeVar("Item")
Found = TypeVar("Found")

_stages: list[Stage] = []


def side_by_side(
    stage: Stage, function: Callable[[Stage, Item], Found], items: Iterable[Item]
) -> Iterator[Found]:
    """What the function, a module's own, finds for each item; in their order."""
    # Spawned: ONNX Runtime's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, _begin, (stage,)) as pool:
        for future in [pool.submit(_call, function, item) for item in items]:
            yield future.result()


def _begin(stage: Stage) -> None:
    _stages.append(stage)


def _call(function: Callable[[Stage, Item], Found], item: Item) -> Found:
    return function(_stages[-1], item)
