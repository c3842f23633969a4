"""What every model promises: probabilities, answers to anything, learning, round trips."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_logs import history_of, small_log, trained_blend

from predictor.history import END, LOGIN, Action, History, replay
from predictor.model import Model
from predictor.ngram import Ngram, NgramConfig, count_matches
from predictor.prior import CHAIN, synthetic_ngram
from predictor.replay import Lesson, replay_log
from predictor.snapshot import dump_ngram, load_ngram
from predictor.vocabulary import END_ID, LOGIN_ID
from streams.contracts.errors import ConfigurationError, ContractError

names = st.sampled_from(["view_dashboard", "upload_video", "view_roas", "never.seen", LOGIN, "x" * 128])
actions = st.builds(Action, names, st.integers(-(10**13), 10**13))
histories = st.lists(actions, max_size=70).map(lambda found: replay("u1", found))


@pytest.fixture(params=["ngram", "blend"])
def model(request) -> Model:
    return synthetic_ngram(sessions=200) if request.param == "ngram" else trained_blend()


@given(history=histories, now_ms=st.integers(-(10**13), 10**13), learned=st.lists(actions, max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_history_gets_probabilities_that_sum_to_one(history, now_ms, learned):
    for model in (SHARED_NGRAM, SHARED_BLEND):
        for action in learned:
            model.observe(history, action)
        prediction = model.predict(history, now_ms)
        assert abs(sum(prediction.probabilities) - 1.0) < 1e-9
        assert all(0.0 <= p <= 1.0 for p in prediction.probabilities)
        assert len(prediction.names) == len(prediction.probabilities) == len(set(prediction.names))
        assert END in prediction.names
        assert LOGIN not in prediction.names


SHARED_NGRAM = synthetic_ngram(sessions=100)
SHARED_BLEND = trained_blend()


def test_cold_start_answers_from_the_prior(model):
    prediction = model.predict(History("nobody"), 0)
    assert prediction.top[0] == "view_dashboard"
    after = model.predict(history_of("view_dashboard", user="nobody"), 1_000_000)
    assert after.top[0] == "view_campaign_analytics"


def test_unknown_actions_are_answered_and_learned(model):
    history = history_of("brand_new", "brand_new_too", user="explorer")
    before = model.predict(history, 1_005_000).probability_of("brand_new")
    for _ in range(30):
        model.observe(history, Action("brand_new", 1_006_000))
    after = model.predict(history, 1_005_000)
    assert after.probability_of("brand_new") > before + 0.1


def test_an_action_after_the_gap_teaches_the_end(model):
    history = history_of("view_ctr", user="leaver")
    before = model.predict(history, 1_000_000).probability_of(END)
    for _ in range(20):
        model.observe(history, Action("view_dashboard", 1_000_000 + 1_800_001))
    assert model.predict(history, 1_000_000).probability_of(END) > before


def test_a_session_that_is_over_is_asked_for_its_next_start(model):
    history = history_of("view_roas")
    fresh, later = model.predict(history, 1_000_000), model.predict(history, 1_000_000 + 3_600_000)
    assert later.top[0] == "view_dashboard"
    assert later.probabilities != fresh.probabilities


def test_many_at_once_are_the_same_as_one_by_one(model):
    batch = [*_some_histories(100), History("new"), history_of("view_hook", user="solo")]
    now_ms = max(h.actions[-1].at_ms for h in batch if h.actions)
    together = model.predict_many(batch, now_ms)
    for history, prediction in zip(batch, together, strict=True):
        alone = model.predict(history, now_ms)
        assert prediction.probabilities == pytest.approx(alone.probabilities, abs=1e-5)


def test_no_histories_give_no_predictions(model):
    assert model.predict_many([], 0) == []


def test_ten_thousand_actions_cost_no_more_than_fifty(model):
    long = replay("busy", [Action(f"a{i % 7}", i) for i in range(10_000)])
    for i in range(3_000):
        model.observe(long, Action(f"a{i % 7}", 20_000 + i))
    short = history_of("a1", user="idle")
    assert len(long.actions) == 50
    # Relative, and generous: what must not happen is a cost that grows with the past.
    assert _seconds(model, long) < 50 * _seconds(model, short) + 0.5


_IDS = st.sampled_from([0, 1, 2, 3, LOGIN_ID])


@given(st.lists(_IDS, max_size=30), st.lists(_IDS, min_size=1, max_size=3), st.integers(1, 5))
def test_matches_are_counted_newest_first_and_up_to_the_limit(window, tail, limit):
    one: dict[int, int] = {}
    two: dict[int, int] = {}
    places = [at for at in range(len(window) - 1) if window[at] == tail[-1]]
    for at in places[-limit:]:
        following = END_ID if window[at + 1] == LOGIN_ID else window[at + 1]
        one[following] = one.get(following, 0) + 1
        if at and tail[-2:-1] == window[at - 1 : at]:
            two[following] = two.get(following, 0) + 1
    assert count_matches(bytearray(window), tail, limit) == (one, two)


def _seconds(model: Model, history: History) -> float:
    started = time.perf_counter()
    for _ in range(20):
        model.predict(history, 1_000_000)
    return time.perf_counter() - started


def _some_histories(count: int) -> list[History]:
    latest: dict[str, History] = {}
    for item in replay_log(small_log()):
        if not isinstance(item, Lesson):
            latest[item.history.user_id] = item.history
    return list(latest.values())[:count]


def test_names_do_not_grow_without_bound():
    model = Ngram(NgramConfig(max_names=10, max_contexts=50))
    history = History("u")
    for i in range(1_000):
        action = Action(f"name{i}", i)
        model.observe(history, action)
        history.append(action)
    assert len(model.vocabulary) == 10
    assert all(len(level) <= 50 for level in model.contexts)
    assert model.predict(history, 1_000).probability_of("OTHER") > 0.5


def test_users_do_not_grow_without_bound():
    model = Ngram(NgramConfig(max_users=3, window=4))
    for i in range(10):
        model.observe(History(f"u{i}"), Action("a", i))
    assert [user for user, _ in model.windows.items()] == ["u7", "u8", "u9"]
    history = History("u9")
    for i in range(20):
        model.observe(history, Action("a", i))
        history.append(Action("a", i))
    assert len(model.windows.get("u9") or b"") == 4


def test_users_differ_once_they_have_habits():
    model = synthetic_ngram(sessions=100)
    habit = history_of("view_dashboard", user="odd")
    for _ in range(30):
        model.observe(habit, Action("export_report", 1_001_000))
        model.observe(habit, Action("view_dashboard", 1_002_000))
    odd = model.predict(habit, 1_000_000).probability_of("export_report")
    other = model.predict(history_of("view_dashboard", user="even"), 1_000_000)
    assert odd > other.probability_of("export_report")


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("wxyz"), st.integers(0, 10**7)), max_size=40)
)
@settings(max_examples=40, deadline=None)
def test_a_snapshot_predicts_the_same(events):
    model = Ngram()
    known: dict[str, History] = {}
    for user, name, at_ms in events:
        history = known.setdefault(user, History(user))
        model.observe(history, Action(name, at_ms))
        history.append(Action(name, at_ms))
    copy = load_ngram(dump_ngram(model))
    for history in known.values():
        assert copy.predict(history, 0).probabilities == pytest.approx(
            model.predict(history, 0).probabilities, abs=1e-12
        )
    assert copy.observed == model.observed


def test_a_snapshot_without_users_holds_none():
    model = synthetic_ngram(sessions=20)
    model.observe(History("alice"), Action("view_roas", 1))
    assert b"alice" in dump_ngram(model)
    assert b"alice" not in dump_ngram(model, with_users=False)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x80\x04\x95", b"\x81\xa6format\x02"])
def test_what_is_not_a_snapshot_is_refused(data):
    with pytest.raises(ContractError, match="train the model again"):
        load_ngram(data)


@pytest.mark.parametrize("wrong", [{"order": 9}, {"mu": 0.0}, {"max_matches": 0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        NgramConfig(**wrong)


def test_adopted_users_keep_their_habits():
    old = synthetic_ngram(sessions=50)
    history = history_of("view_dashboard", user="odd")
    for _ in range(30):
        old.observe(history, Action("export_report", 1_001_000))
        old.observe(history, Action("view_dashboard", 1_002_000))
    new = synthetic_ngram(sessions=50)
    before = new.predict(history, 1_000_000).probability_of("export_report")
    new.adopt_users(old)
    assert new.predict(history, 1_000_000).probability_of("export_report") > before


def test_the_chain_of_the_prior_is_made_of_whole_hundreds():
    assert {sum(row.values()) for row in CHAIN.values()} == {100}
