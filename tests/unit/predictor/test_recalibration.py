"""The blend follows outcomes that become more frequent, by its biases alone."""

from __future__ import annotations

import numpy as np
import pytest
from sample_logs import history_of, trained_blend

from predictor.history import END, LOGIN, Action, History
from predictor.lessons import Lesson
from predictor.recalibration import RATE, Recalibration
from predictor.situation import Situation, describe
from predictor.vocabulary import Vocabulary

NAMES = Vocabulary(["a", "b"])


def _situation(user: str, *, opens: bool = False) -> Situation:
    return Situation(user, [0] * 6, (0,) * 8, [], (0.0,) * 7, opens)


def test_a_bias_moves_by_what_was_not_expected():
    recalibration, bias = Recalibration(), np.zeros((1, 4), np.float32)
    recalibration.expect([_situation("u")], np.array([[0.1, 0.2, 0.3, 0.4]], np.float32))
    recalibration.settle("u", [Lesson("a", opens=False)], NAMES, bias)
    np.testing.assert_allclose(bias, RATE * np.array([[-0.1, -0.2, 0.7, -0.4]]), rtol=1e-5)


def test_a_prediction_teaches_once():
    recalibration, bias = Recalibration(), np.zeros((1, 4), np.float32)
    recalibration.expect([_situation("u")], np.full((1, 4), 0.25))
    for _ in range(2):
        recalibration.settle("u", [Lesson("a", opens=False)], NAMES, bias)
    assert bias[0, NAMES.id_of("a")] == pytest.approx(0.75 * RATE)


def test_the_prediction_for_a_new_session_is_not_about_the_end_of_the_old_one():
    recalibration, bias = Recalibration(), np.zeros((1, 4), np.float32)
    recalibration.expect([_situation("u", opens=True)], np.full((1, 4), 0.25))
    recalibration.settle("u", [Lesson(END, opens=False), Lesson("b", opens=True)], NAMES, bias)
    assert bias.argmax() == NAMES.id_of("b")


def test_whoever_waits_longest_is_forgotten_first():
    recalibration, bias = Recalibration(max_awaited=2), np.zeros((1, 4), np.float32)
    recalibration.expect([_situation(user) for user in ("one", "two", "three")], np.full((3, 4), 0.25))
    recalibration.settle("one", [Lesson("a", opens=False)], NAMES, bias)
    assert not bias.any()
    recalibration.settle("three", [Lesson("a", opens=False)], NAMES, bias)
    assert bias.any()


def test_a_situation_knows_that_its_session_is_assumed():
    history = history_of("a", "b")
    last = history.actions[-1].at_ms
    assert not describe(history, last, NAMES).opens
    assert describe(history, last + history.gap_ms + 1, NAMES).opens
    assert describe(History("new"), 0, NAMES).opens
    history.append(Action(LOGIN, last + history.gap_ms + 1))
    assert not describe(history, last + history.gap_ms + 1, NAMES).opens


def _foreign_clicks(blend, rare: str, *users: str) -> float:
    """Users nobody knows do the rare thing first; the mean probability it had at the last ten of them."""
    found = []
    for number, user in enumerate(users):
        history = History(user)
        login, action = Action(LOGIN, 10**12 + number), Action(rare, 10**12 + number + 1)
        blend.observe(history, login)
        history.append(login)
        found.append(blend.predict(history, login.at_ms).probability_of(rare))
        blend.observe(history, action)
    return sum(found[-10:]) / 10


def test_the_biases_of_a_blend_follow_sooner_than_its_counts_alone():
    follows, counts = trained_blend(), trained_blend()
    counts._recalibration = Recalibration(rate=0.0)
    rare = follows.state.vocabulary.names[-1]
    users = [f"user-{number}" for number in range(60)]
    assert _foreign_clicks(follows, rare, *users) > 1.2 * _foreign_clicks(counts, rare, *users)


def test_a_frozen_blend_keeps_its_biases():
    blend = trained_blend()
    blend.state.learning = False
    rare = blend.state.vocabulary.names[-1]
    before = _foreign_clicks(blend, rare, *[f"early-{number}" for number in range(50)])
    assert _foreign_clicks(blend, rare, *[f"late-{number}" for number in range(50)]) == pytest.approx(before)
