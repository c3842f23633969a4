"""What one prediction and one lesson cost, on one core, and what 100,000 users take."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from bench.report import calibration_us
from predictor.dataset import Record
from predictor.features import FeatureState
from predictor.history import Action, History
from predictor.model import MAX_BATCH, Model
from predictor.ngram import Ngram
from predictor.replay import Lesson, outcomes_of, replay_log
from predictor.training import TrainingConfig, name_outcomes, train_blend

_CALLS = 5_000
#: A neighbour on the machine spoils the percentiles of the round that it falls into: the median round counts.
_ROUNDS = 5
#: Turns of a loop that takes about as long as a prediction: its p99 is what the machine alone does.
_CONTROL_TURNS = 2_000
_USERS = 100_000
#: Actions of each synthetic user in the memory test: a busy month.
_ACTIONS = 100


def measure(records: Sequence[Record]) -> dict[str, Any]:
    """Microseconds of the blend and of the plain n-gram; bytes of 100,000 users' windows."""
    outcomes = outcomes_of(records)
    train = int(len(outcomes) * 0.8)
    started, cpu_started = time.perf_counter(), time.process_time()
    blend = train_blend(
        replay_log(records),
        name_outcomes(outcomes),
        TrainingConfig(),
        train=train,
        validation=len(outcomes) - train - 1,
        version="bench",
    )
    train_s, train_cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    ngram = Ngram()
    histories: dict[str, History] = {}
    for item in replay_log(records):
        if isinstance(item, Lesson):
            ngram.observe(item.history, item.action)
        else:
            histories[item.history.user_id] = item.history
    asked = list(histories.values())
    before = calibration_us()
    costs = {
        "blend": _cost(blend, asked),
        "ngram": _cost(ngram, asked),
        "control": _named("predict", _percentiles(lambda _: _control(), asked)),
    }
    return {
        "calibration_us": [round(before, 1), round(calibration_us(), 1)],
        "train_s": round(train_s, 1),
        "train_cpu_s": round(train_cpu_s, 1),
        "train_positions": len(outcomes),
        "forest_bytes": len(blend.parts.forest.onnx),
        **costs,
        "users_bytes": _memory(),
    }


def _cost(model: Model, asked: Sequence[History]) -> dict[str, float]:
    batch = (list(asked) * (MAX_BATCH // len(asked) + 1))[:MAX_BATCH]
    now_ms = batch[0].actions[-1].at_ms
    one = _percentiles(lambda h: model.predict(h, h.actions[-1].at_ms), asked)
    learn = _times(lambda h: model.observe(h, Action(h.actions[-1].name, h.actions[-1].at_ms)), asked, _CALLS)
    many = _times(lambda _: model.predict_many(batch, now_ms), asked, 60)
    return {
        **_named("predict", one),
        "observe_p50_us": round(learn[len(learn) // 2], 1),
        "batch512_p50_us_each": round(many[len(many) // 2] / MAX_BATCH, 1),
    }


def _named(what: str, taken: dict[int, float]) -> dict[str, float]:
    return {f"{what}_p{percent}_us": round(value, 1) for percent, value in taken.items()}


def _percentiles(call: Callable[[History], Any], asked: Sequence[History]) -> dict[int, float]:
    """Microseconds of p10, p50 and p99, each of the round that is the median in it."""
    rounds = [_times(call, asked, _CALLS) for _ in range(_ROUNDS)]
    return {
        percent: statistics.median(taken[len(taken) * percent // 100] for taken in rounds)
        for percent in (10, 50, 99)
    }


def _control() -> int:
    total = 0
    for number in range(_CONTROL_TURNS):
        total += number % 7
    return total


def _times(call: Callable[[History], Any], asked: Sequence[History], calls: int) -> list[float]:
    """Sorted microseconds of this thread's CPU time of `calls` calls over the histories in turn.

    CPU time, because a machine that is not idle takes the core away in the middle of a call.
    """
    taken = []
    for number in range(calls):
        history = asked[number % len(asked)]
        started = time.thread_time_ns()
        call(history)
        taken.append((time.thread_time_ns() - started) / 1_000)
    return sorted(taken)


def _memory() -> int:
    """Bytes that the windows of 100,000 users of `_ACTIONS` actions take."""
    state = FeatureState(["END", "OTHER", *(f"a{i}" for i in range(22))])
    state.learning = False
    history = History("")
    tracemalloc.start()
    for user in range(_USERS):
        history.user_id = f"user-{user:06d}"
        history.actions = [Action("a1", 0)]
        window = state.windows.put(history.user_id, bytes(_ACTIONS))
        state.windows.extend(history.user_id, window, b"\x02")
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size
