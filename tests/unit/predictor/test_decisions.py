"""Policy, holdout and entities: what is done about a prediction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.actions import BUILTIN_ACTIONS, ActionRegistry, ActionSpec
from predictor.entities import EntityConfig, rank_entities, resolve
from predictor.history import END, OTHER, Action, replay
from predictor.holdout import HoldoutConfig, draw_group, holdout_unit
from predictor.policy import (
    Circumstances,
    Option,
    PolicyConfig,
    Price,
    WhyNot,
    decide,
    threshold,
)
from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import Group

CALM = Circumstances()


def _option(p: float, action: str = "view_dashboard", **more) -> Option:
    return Option(action=action, probability=p, **more)


@given(st.floats(0.0, 1.0))
def test_unmeasured_prices_act_above_one_half(p):
    (decision,) = decide([_option(p)], CALM)
    assert decision.acted_on == (p > 0.5)
    assert (decision.why_not is None) == decision.acted_on
    assert (decision.priority is not None) == decision.acted_on


@given(st.floats(0, 1), st.floats(0.01, 100), st.floats(0, 100), st.floats(0, 1))
def test_acting_means_that_it_pays(p, benefit, cost, load):
    price = Price(benefit_s=benefit, cost_s=cost)
    (decision,) = decide([_option(p, price=price)], Circumstances(load=load))
    assert decision.acted_on == (decision.expected_value > 0)
    assert decision.expected_value == pytest.approx(p * benefit - cost * (1 + 2 * load))
    if decision.acted_on:
        assert 2 <= decision.priority <= 6


def test_load_raises_the_threshold():
    assert threshold(Price(benefit_s=2, cost_s=0.4)) == pytest.approx(0.2)
    assert threshold(Price(benefit_s=2, cost_s=0.4), load=1.0) == pytest.approx(0.6)


def test_priority_follows_expected_value():
    price = Price(benefit_s=4.0, cost_s=0.1)
    decisions = decide(
        [_option(0.05, price=price), _option(0.25, price=price), _option(0.9, price=price)], CALM
    )
    assert [d.priority for d in decisions] == [2, 4, 6]


@pytest.mark.parametrize(
    ("option", "circumstances", "why_not"),
    [
        (_option(0.9, END), CALM, WhyNot.END_OF_SESSION),
        (_option(0.9, OTHER), CALM, WhyNot.UNKNOWN_ACTION),
        (_option(0.9), Circumstances(enabled=False), WhyNot.SWITCHED_OFF),
        (_option(0.9), Circumstances(precision=0.1, outcomes=200), WhyNot.BELOW_PRECISION_FLOOR),
        (_option(0.9, jobs=0), CALM, WhyNot.ALREADY_FRESH),
        (_option(0.9, blocked=WhyNot.NO_ENTITY), CALM, WhyNot.NO_ENTITY),
        (_option(0.1), CALM, WhyNot.NOT_WORTH_IT),
        (_option(0.9, jobs=3), Circumstances(user_budget_left=2), WhyNot.USER_BUDGET),
        (_option(0.9, jobs=3), Circumstances(global_budget_left=2), WhyNot.GLOBAL_BUDGET),
    ],
)
def test_every_no_has_its_reason(option, circumstances, why_not):
    (decision,) = decide([option], circumstances)
    assert decision.why_not is why_not
    assert not decision.acted_on


def test_few_outcomes_switch_nothing_off():
    assert decide([_option(0.9)], Circumstances(precision=0.0, outcomes=199))[0].acted_on


def test_the_budget_goes_to_the_most_valuable():
    options = [_option(0.6, "a"), _option(0.9, "b"), _option(0.7, "c")]
    decisions = decide(options, Circumstances(user_budget_left=2))
    assert [d.action for d in decisions] == ["a", "b", "c"]
    assert [d.acted_on for d in decisions] == [False, True, True]


def test_the_global_budget_is_shared():
    decisions = decide([_option(0.9, jobs=2), _option(0.8, jobs=2)], Circumstances(global_budget_left=3))
    assert [d.acted_on for d in decisions] == [True, False]


@pytest.mark.parametrize("wrong", [{"precision_floor": 1.0}, {"user_budget": -1}, {"full_value_s": 0.0}])
def test_impossible_policies_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        PolicyConfig(**wrong)


def test_the_holdout_is_a_stable_share_of_units():
    config = HoldoutConfig(fraction=0.05)
    held = {i for i in range(20_000) if draw_group(f"user:{i}", config) is Group.HOLDOUT}
    assert 0.045 < len(held) / 20_000 < 0.055
    other = HoldoutConfig(fraction=0.05, salt="v2")
    again = {i for i in range(20_000) if draw_group(f"user:{i}", other) is Group.HOLDOUT}
    assert len(held & again) < 0.1 * len(held)


def test_a_larger_holdout_keeps_who_was_in_it():
    small, large = HoldoutConfig(fraction=0.05), HoldoutConfig(fraction=0.1)
    for i in range(2_000):
        if draw_group(str(i), small) is Group.HOLDOUT:
            assert draw_group(str(i), large) is Group.HOLDOUT


def test_no_holdout_holds_nobody():
    assert draw_group("x", HoldoutConfig(fraction=0.0)) is Group.TREATMENT
    with pytest.raises(ConfigurationError):
        HoldoutConfig(fraction=0.9)


def test_shared_answers_are_drawn_by_entity():
    assert holdout_unit("video", "v1", "u1") == holdout_unit("video", "v1", "u2")
    assert holdout_unit("user", "u1", "u1") != holdout_unit("user", "u2", "u2")


def _visits(*videos: str):
    return replay("u1", [Action("view_ctr", i, "video", v) for i, v in enumerate(videos)])


def test_recent_and_frequent_entities_come_first():
    ranked = rank_entities(_visits("v1", "v1", "v2", "v2", "v2", "v3"), "video")
    assert [key for key, _ in ranked][:2] == ["v2", "v3"]
    assert sum(share for _, share in ranked) <= 0.9 + 1e-9


@given(st.lists(st.sampled_from(["v1", "v2", "v3"]), max_size=30))
def test_shares_never_exceed_what_is_known(videos):
    ranked = rank_entities(_visits(*videos), "video", EntityConfig(min_share=0.0))
    assert sum(share for _, share in ranked) == pytest.approx(0.9 if videos else 0.0)


def test_a_prediction_becomes_jobs_with_its_probability():
    candidates = resolve(BUILTIN_ACTIONS["view_video_analysis"], 0.8, _visits("v7"))
    assert {(c.task, c.entity_id) for c in candidates} == {
        ("scene_detection", "v7"),
        ("face_detection", "v7"),
    }
    assert all(c.probability == pytest.approx(0.72) for c in candidates)


def test_a_user_is_always_known_and_nothing_else_is():
    history = replay("u1", [])
    assert resolve(BUILTIN_ACTIONS["view_dashboard"], 0.5, history)[0].entity_id == "u1"
    assert resolve(BUILTIN_ACTIONS["view_ctr"], 0.5, history) == []


@pytest.mark.parametrize(
    "specs",
    [
        [ActionSpec(name="a b", entity="user")],
        [ActionSpec(name="a", entity="user"), ActionSpec(name="a", entity="user")],
        [ActionSpec(name="a", entity="user", tasks=("no_such_task",))],
        [ActionSpec(name="a", entity="user", tasks=("ctr_prediction",))],
    ],
)
def test_wrong_actions_are_refused(specs):
    with pytest.raises(ConfigurationError):
        ActionRegistry(specs)
