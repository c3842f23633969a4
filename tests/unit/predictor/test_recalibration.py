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


GAP_MS = 1_800_000


class _Watched(Recalibration):
    """Expects and settles with fewer words; `bias` is what it moved."""

    def __init__(self, **limits: int) -> None:
        self.bias = np.zeros((1, 4), np.float32)
        super().__init__(self.bias, **limits)

    def ask(self, *users: str, at_ms: int = 0, opens: bool = False) -> None:
        situations = [_situation(user, opens=opens) for user in users]
        self.expect(situations, np.tile([0.1, 0.2, 0.3, 0.4], (len(users), 1)), at_ms, GAP_MS)

    def tell(self, user: str, *lessons: Lesson, at_ms: int = 0) -> None:
        self.settle_ends(at_ms, GAP_MS)
        self.settle(user, lessons, NAMES)


A, B, ENDED = Lesson("a", opens=False), Lesson("b", opens=True), Lesson(END, opens=False)


def test_a_bias_moves_by_what_was_not_expected():
    biases = _Watched()
    biases.ask("u")
    biases.tell("u", A)
    np.testing.assert_allclose(biases.bias, RATE * np.array([[-0.1, -0.2, 0.7, -0.4]]), rtol=1e-5)


def test_a_prediction_teaches_once():
    biases = _Watched()
    biases.ask("u")
    biases.tell("u", A)
    biases.tell("u", A)
    assert biases.bias[0, NAMES.id_of("a")] == pytest.approx(0.7 * RATE)


def test_the_prediction_for_a_new_session_is_not_about_the_end_of_the_old_one():
    biases = _Watched()
    biases.ask("u", opens=True)
    biases.tell("u", ENDED, B)
    assert biases.bias.argmax() == NAMES.id_of("b")


def test_silence_is_an_end_once_the_gap_has_passed():
    biases = _Watched()
    biases.ask("gone", "back")
    biases.tell("other", A, at_ms=GAP_MS)
    assert not biases.bias.any()
    biases.tell("back", A)
    biases.tell("other", A, at_ms=GAP_MS + 1_001)
    assert biases.bias[0, NAMES.id_of(END)] == pytest.approx(0.8 * RATE)
    # What is known is not learned again when the user comes back.
    biases.tell("gone", ENDED, B)
    assert biases.bias[0, NAMES.id_of(END)] == pytest.approx(0.8 * RATE)


def test_silence_after_a_prediction_for_a_new_session_tells_nothing():
    biases = _Watched()
    biases.ask("idle", opens=True)
    biases.tell("other", A, at_ms=GAP_MS + 1_001)
    assert not biases.bias.any()


def test_a_clock_that_was_wrong_keeps_nobody_from_being_settled():
    biases = _Watched()
    biases.ask("future", at_ms=10 * GAP_MS)
    biases.ask("u", at_ms=0)
    biases.tell("other", A, at_ms=GAP_MS + 1)
    assert biases.bias[0, NAMES.id_of(END)] == pytest.approx(0.9 * RATE)


def test_an_event_that_was_long_on_its_way_drops_nothing():
    biases = _Watched()
    biases.ask("u", at_ms=GAP_MS // 2)
    biases.tell("other", A, at_ms=1)
    biases.tell("u", A, at_ms=2)
    assert biases.bias.argmax() == NAMES.id_of("a")


def test_a_full_memory_takes_no_more_but_keeps_what_it_has():
    biases = _Watched(max_awaited=2)
    biases.ask("one", "two", "three")
    biases.tell("three", A)
    assert not biases.bias.any()
    biases.tell("one", A)
    assert biases.bias.any()


def test_outcomes_that_come_as_predicted_leave_the_biases_where_they_are():
    """Sessions that end are settled as often as those that go on, though they are settled later."""
    biases, draw = _Watched(max_awaited=5), np.random.default_rng(0)
    for number in range(4_000):
        user, outcome = f"u{number}", draw.choice(4, p=[0.1, 0.2, 0.3, 0.4])
        at_ms = number * GAP_MS // 100
        biases.ask(user, at_ms=at_ms)
        if outcome:
            biases.tell(user, Lesson(NAMES.names[outcome], opens=False), at_ms=at_ms)
    assert np.abs(biases.bias).max() < 0.5


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
    counts._recalibration._rate = 0.0
    rare = follows.state.vocabulary.names[-1]
    users = [f"user-{number}" for number in range(60)]
    assert _foreign_clicks(follows, rare, *users) > 1.2 * _foreign_clicks(counts, rare, *users)


def test_a_frozen_blend_keeps_its_biases():
    blend = trained_blend()
    blend.state.learning = False
    rare = blend.state.vocabulary.names[-1]
    before = _foreign_clicks(blend, rare, *[f"early-{number}" for number in range(50)])
    assert _foreign_clicks(blend, rare, *[f"late-{number}" for number in range(50)]) == pytest.approx(before)
