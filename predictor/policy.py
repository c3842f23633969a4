"""Is it worth it: act on a prediction iff probability x benefit exceeds the cost.

Units: benefit and cost are in the same one, seconds of somebody's waiting. Chromium's omnibox acts at
.5 and .8, Guess.js at .15 to .60 by network: no single threshold fits, so it follows from the prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from predictor.history import END, OTHER
from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import Priority


class WhyNot(StrEnum):
    """Why a prediction is not acted on; a bounded label."""

    SWITCHED_OFF = "switched_off"
    BELOW_PRECISION_FLOOR = "below_precision_floor"
    END_OF_SESSION = "end_of_session"
    UNKNOWN_ACTION = "unknown_action"
    NOTHING_TO_COMPUTE = "nothing_to_compute"
    NO_ENTITY = "no_entity"
    NOT_WORTH_IT = "not_worth_it"
    ALREADY_FRESH = "already_fresh"
    USER_BUDGET = "user_budget"
    GLOBAL_BUDGET = "global_budget"


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What acting on an action brings and takes, as far as it is measured.

    `benefit_s`: seconds a user does not wait when the answer is there, times the value of the action.
    `cost_s`: CPU seconds the answer takes, times their price in waiting seconds.
    """

    benefit_s: float
    cost_s: float

    def __post_init__(self) -> None:
        if self.benefit_s <= 0 or self.cost_s < 0:
            raise ConfigurationError("a benefit is above 0 and a cost at least 0")


#: With nothing measured yet: p x 1 > 0.5, the plain rule "act above 50 %".
UNMEASURED = Price(benefit_s=1.0, cost_s=0.5)


class PolicyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decides; what is measured comes with each call."""

    #: Below this precision of what was acted on, the predictor switches itself off.
    precision_floor: float = 0.2
    #: Outcomes that precision needs behind it before it may switch anything off.
    precision_min_outcomes: int = 200
    #: Predicted jobs one user may cause per hour.
    user_budget: int = 60
    #: At a load of 1 (no idle worker left) the cost counts (1 + this) times.
    load_penalty: float = 2.0
    #: An action with this expected value, in seconds, gets the highest predicted priority.
    full_value_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.precision_floor < 1:
            raise ConfigurationError("the precision floor is 0 up to 1")
        if self.user_budget < 0 or self.load_penalty < 0 or self.precision_min_outcomes < 1:
            raise ConfigurationError("user_budget, load_penalty and precision_min_outcomes are not negative")
        if self.full_value_s <= 0:
            raise ConfigurationError("full_value_s is above 0: priorities are scaled by it")


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at the time of the decision.

    `precision` is that of the last `outcomes` acted predictions, None when unknown. Budgets are jobs
    left; None is unlimited. `load` is the share of workers that are busy, 0..1.
    """

    enabled: bool = True
    precision: float | None = None
    outcomes: int = 0
    load: float = 0.0
    user_budget_left: int | None = None
    global_budget_left: int | None = None
    #: Computing seconds that all users' predicted jobs may still take; None is unlimited.
    global_seconds_left: float | None = None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One predicted action as the decision sees it: how many jobs, and at what price."""

    action: str
    probability: float
    confidence: float = 1.0
    #: Jobs it would start: tasks times entities, those already fresh left out.
    jobs: int = 1
    #: Computing seconds of these jobs, as measured.
    seconds: float = 0.0
    price: Price = UNMEASURED
    #: A reason found earlier (no entity, already fresh, ...), or None.
    blocked: WhyNot | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about one predicted action, and why not where the answer is no.

    `expected_value` is probability x benefit - cost, in seconds; `priority` is 2..6 where acted on.
    """

    action: str
    probability: float
    confidence: float
    acted_on: bool
    why_not: WhyNot | None
    expected_value: float
    priority: int | None = None


_DEFAULT = PolicyConfig()


def decide(
    options: Sequence[Option], circumstances: Circumstances, config: PolicyConfig = _DEFAULT
) -> list[Decision]:
    """A decision for every option, in their order; budgets go to the highest expected value first."""
    user_left = config.user_budget
    if circumstances.user_budget_left is not None:
        user_left = min(user_left, circumstances.user_budget_left)
    global_left = circumstances.global_budget_left
    seconds_left = circumstances.global_seconds_left
    values = [_expected_value(option, circumstances, config) for option in options]
    decisions: dict[int, Decision] = {}
    for index in sorted(range(len(options)), key=lambda i: -values[i]):
        option = options[index]
        why_not = _refusal(option, values[index], circumstances, config)
        if why_not is None and option.jobs > user_left:
            why_not = WhyNot.USER_BUDGET
        if why_not is None and (
            (global_left is not None and option.jobs > global_left)
            or (seconds_left is not None and option.seconds > seconds_left)
        ):
            why_not = WhyNot.GLOBAL_BUDGET
        if why_not is None:
            user_left -= option.jobs
            global_left = global_left - option.jobs if global_left is not None else None
            seconds_left = seconds_left - option.seconds if seconds_left is not None else None
        decisions[index] = _decision(option, values[index], why_not, config)
    return [decisions[index] for index in range(len(options))]


def threshold(price: Price, load: float = 0.0, config: PolicyConfig = _DEFAULT) -> float:
    """The probability above which acting pays at this price."""
    return price.cost_s * (1.0 + config.load_penalty * load) / price.benefit_s


def is_below_floor(circumstances: Circumstances, config: PolicyConfig = _DEFAULT) -> bool:
    """Whether the measured precision is too low to go on predicting."""
    return (
        circumstances.precision is not None
        and circumstances.outcomes >= config.precision_min_outcomes
        and circumstances.precision < config.precision_floor
    )


def _expected_value(option: Option, circumstances: Circumstances, config: PolicyConfig) -> float:
    cost = option.price.cost_s * (1.0 + config.load_penalty * circumstances.load)
    return option.probability * option.price.benefit_s - cost


def _refusal(
    option: Option, value: float, circumstances: Circumstances, config: PolicyConfig
) -> WhyNot | None:
    reasons = (
        (option.action == END, WhyNot.END_OF_SESSION),
        (option.action == OTHER, WhyNot.UNKNOWN_ACTION),
        (not circumstances.enabled, WhyNot.SWITCHED_OFF),
        (is_below_floor(circumstances, config), WhyNot.BELOW_PRECISION_FLOOR),
        (option.blocked is not None, option.blocked),
        (option.jobs == 0, WhyNot.ALREADY_FRESH),
        (value <= 0, WhyNot.NOT_WORTH_IT),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _decision(option: Option, value: float, why_not: WhyNot | None, config: PolicyConfig) -> Decision:
    acted = why_not is None
    return Decision(
        action=option.action,
        probability=option.probability,
        confidence=option.confidence,
        acted_on=acted,
        why_not=why_not,
        expected_value=value,
        priority=_priority(value, config) if acted else None,
    )


def _priority(value: float, config: PolicyConfig) -> int:
    """2..6, linear in the expected value up to `full_value_s`."""
    steps = Priority.PREDICTED_MAX - Priority.PREDICTED_MIN
    return Priority.PREDICTED_MIN + round(steps * min(value / config.full_value_s, 1.0))
