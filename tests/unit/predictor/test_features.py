"""Training and serving see the same numbers, and nothing from the future."""

from __future__ import annotations

import numpy as np
import pytest
from sample_logs import history_of, small_log

from predictor import mixture
from predictor.features import FeatureState, forest_inputs
from predictor.history import END, LOGIN, SESSION_GAP_MS, Action, History
from predictor.mixture import Pool, fit_pool, log_softmax, pool_logs
from predictor.personal import count_personal
from predictor.replay import Lesson, Question, outcomes_of, replay_log
from predictor.situation import describe
from predictor.training import is_sampled, name_outcomes
from predictor.vocabulary import LOGIN_ID
from streams.contracts.errors import ContractError


def _training_vectors(records):
    """What training sees: a replay of the log."""
    state = FeatureState(name_outcomes(outcomes_of(records)))
    seen = []
    for item in replay_log(records):
        if isinstance(item, Lesson):
            state.observe(item.history, item.action)
        else:
            seen.append(_vector(state, item.history, item.at_ms))
    return seen


def _serving_vectors(records):
    """What serving sees: events in order of time, sessions found by the gap alone."""
    state = FeatureState(name_outcomes(outcomes_of(records)))
    histories: dict[str, History] = {}
    seen = []
    for record in sorted(records, key=lambda r: r.at_ms):
        history = histories.setdefault(record.user, History(record.user))
        actions = [Action(record.action, record.at_ms)]
        if history.starts_session(actions[0]):
            actions.insert(0, Action(LOGIN, record.at_ms))
        for action in actions:
            state.observe(history, action)
            history.append(action)
            seen.append(_vector(state, history, record.at_ms))
    return seen


def _vector(state, history, at_ms):
    observed = state.look_at((history,), at_ms)
    mixed = log_softmax(observed.logs.mean(axis=0))
    return observed.logs[:, 0], forest_inputs(observed, mixed, state.trained)[0]


def test_training_and_serving_give_the_same_vectors():
    # One user, so that the moment at which an END is learned cannot differ between the two.
    records = [r for r in small_log() if r.user == small_log()[0].user]
    trained, served = _training_vectors(records), _serving_vectors(records)
    assert len(trained) == len(served) > 50
    for (logs, inputs), (other_logs, other_inputs) in zip(trained, served, strict=True):
        np.testing.assert_array_equal(logs, other_logs)
        np.testing.assert_array_equal(inputs, other_inputs)


def test_vectors_do_not_know_what_comes_later():
    records = list(small_log())
    cut = len(records) // 2
    records.sort(key=lambda r: r.at_ms)
    names = name_outcomes(outcomes_of(records))
    vectors = []
    for log in (records, records[:cut]):
        state = FeatureState(names)
        found = []
        for item in replay_log(log):
            if isinstance(item, Lesson):
                state.observe(item.history, item.action)
            else:
                found.append(_vector(state, item.history, item.at_ms))
        vectors.append(found)
    whole, part = vectors
    for (logs, inputs), (other_logs, other_inputs) in zip(whole, part, strict=False):
        np.testing.assert_array_equal(logs, other_logs)
        np.testing.assert_array_equal(inputs, other_inputs)


def test_an_end_is_learned_only_after_the_gap():
    records = list(small_log())
    ended_ms = {}
    for item in replay_log(records):
        if isinstance(item, Question) and item.outcome == END:
            ended_ms[item.history.user_id] = item.at_ms
        if isinstance(item, Lesson) and item.action.name == END:
            assert item.action.at_ms == ended_ms[item.history.user_id] + SESSION_GAP_MS


def test_every_row_and_every_login_is_a_question():
    records = list(small_log())
    questions = [item for item in replay_log(records) if isinstance(item, Question)]
    sessions = {(r.user, r.session) for r in records}
    assert len(questions) == len(records) + len(sessions)
    assert sum(q.outcome == END for q in questions) == len(sessions)


def _personal_by_hand(window, ids, width):
    counts = np.zeros((4, width))
    outcomes = [0 if seen == LOGIN_ID else seen for seen in window]
    for i, outcome in enumerate(outcomes):
        age = len(window) - 1 - i
        if age < 64:
            counts[0, outcome] += 0.95**age
        for length in (1, 2, 3):
            if i >= length and list(window[i - length : i][::-1]) == list(ids[:length]):
                counts[length, outcome] += 0.998**age
    return counts


@pytest.mark.parametrize("seed", range(8))
def test_personal_counts_are_what_counting_by_hand_gives(seed):
    draw = np.random.default_rng(seed)
    windows = [
        bytes(draw.choice([1, 2, 3, LOGIN_ID], size=draw.integers(0, 90)).astype(np.uint8)) for _ in range(20)
    ]
    ids = [(list(window[:-7:-1]) + [254] * 6)[:6] for window in windows]
    together = _counted(windows, ids, 6)
    for row, (window, tail) in enumerate(zip(windows, ids, strict=True)):
        counts = together[:, row]
        np.testing.assert_allclose(counts, _personal_by_hand(window, tail, 6), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(_counted([window], [tail], 6)[:, 0], counts, rtol=1e-6)


def _counted(windows, ids, width):
    counts = np.full((4, len(windows), width), np.nan, np.float32)
    count_personal(windows, ids, counts)
    return counts


def test_an_empty_window_counts_nothing():
    assert not _counted([b"", b""], [[254] * 6] * 2, 5).any()
    assert not _counted([b""], [[254] * 6], 5).any()


def test_times_that_run_backwards_give_finite_numbers():
    history = history_of("a", "b", "c", step_ms=-50_000)
    state = FeatureState(["END", "OTHER", "a", "b"])
    situation = describe(history, -5, state.vocabulary)
    assert all(np.isfinite(situation.numbers))


def test_a_pool_finds_the_opinion_that_is_right():
    draw = np.random.default_rng(0)
    truth = draw.dirichlet(np.ones(4), size=3_000)
    outcomes = np.array([draw.choice(4, p=p) for p in truth])
    noise = draw.dirichlet(np.ones(4), size=3_000)
    logs = np.log(np.stack([truth, noise])).astype(np.float32)
    pool = fit_pool(logs, outcomes)
    assert pool.weights[0] == pytest.approx(1.0, abs=0.15)
    assert abs(pool.weights[1]) < 0.1
    assert np.exp(pool_logs(logs, pool)).sum(axis=1) == pytest.approx(np.ones(3_000), abs=1e-5)


@pytest.mark.parametrize(("most", "total"), [(1, 1), (3, 10), (120_000, 145_011), (7, 7), (1, 5)])
def test_a_sample_is_as_large_as_it_may_be_and_evenly_spread(most, total):
    sampled = [number for number in range(total) if is_sampled(number, most, total)]
    assert len(sampled) == most
    steps = np.diff([*sampled, total + sampled[0]])
    assert steps.max() - steps.min() <= 1


def test_opinions_that_nearly_agree_get_bounded_weights():
    draw = np.random.default_rng(0)
    opinion = np.log(draw.dirichlet(np.ones(4), size=2_000)).astype(np.float32)
    outcomes = draw.integers(0, 4, size=2_000)
    hint = np.zeros_like(opinion)
    hint[np.arange(2_000), outcomes] = 0.01
    logs = np.stack([opinion, opinion + hint])
    pool = fit_pool(logs, outcomes, ridge=0.0001)
    assert pool.is_bounded()
    assert np.isfinite(pool_logs(logs, pool)).all()
    # Only weights against each other see the hint at all.
    assert pool.weights[1] > 0 > pool.weights[0]


def test_a_fit_that_finds_no_bounded_weights_is_an_error(monkeypatch):
    lost = Pool(np.full(1, np.nan, np.float32), np.zeros(3, np.float32))
    monkeypatch.setattr(mixture, "_fit", lambda *_: lost)
    with pytest.raises(ContractError, match="not finite"):
        fit_pool(np.zeros((1, 30, 3), np.float32), np.zeros(30, np.int64))
