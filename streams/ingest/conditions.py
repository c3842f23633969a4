"""What the policy knows besides the prediction: whether it may act, and what acting costs and brings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from predictor.actions import ActionRegistry
from predictor.policy import Circumstances, Price
from streams.contracts.clock import Clock
from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import Group, Job
from streams.ingest.budget import HOUR_S, GlobalBudget
from streams.ingest.load import FleetLoad
from streams.ingest.scoring import PredictionScores

#: Users whose spending is remembered; a forgotten one begins anew.
MOST_USERS = 50_000
#: What a task that was never measured is taken to cost and to save.
UNMEASURED_S = 1.0


class ConditionsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decides. Budgets are of an hour: jobs of one user, computing seconds of all."""

    enabled: bool = True
    act_above: float = 0.5
    user_budget: int = 60
    global_budget_s: float = 36_000.0

    def __post_init__(self) -> None:
        if not 0 <= self.act_above <= 1 or self.user_budget < 0 or self.global_budget_s < 0:
            raise ConfigurationError("act_above is 0 to 1, and budgets are not negative")


class Conditions:
    """Kept up to date by the role's upkeep; read at each decision."""

    def __init__(
        self, scores: PredictionScores, actions: ActionRegistry, config: ConditionsConfig, clock: Clock
    ) -> None:
        self._scores = scores
        self._actions = actions
        self._config = config
        self._clock = clock
        self._spent: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._seconds: Mapping[str, float] = {}
        self._prices: dict[str, Price] = {}
        #: Set by command; the setting wins where it says no.
        self.switched_off = False
        self.budget = GlobalBudget(config.global_budget_s, clock)
        self.load = FleetLoad(clock)

    def of(self, user_id: str) -> Circumstances:
        return Circumstances(
            enabled=self._config.enabled and not self.switched_off,
            precision=self._scores.precision,
            outcomes=self._scores.outcomes,
            load=self.load.value,
            user_budget_left=max(0, self._config.user_budget - self._spent_by(user_id)),
            global_seconds_left=self.budget.left,
        )

    def price(self, action: str) -> Price:
        """Benefit: the seconds its answers were measured to take. Without a measurement, one second.

        The cost is `act_above` of that, so that acting pays above this probability.
        """
        price = self._prices.get(action)
        if price is None:
            spec = self._actions.get(action)
            measured = sum(self._seconds.get(task, 0.0) for task in spec.tasks) if spec is not None else 0.0
            benefit = measured or UNMEASURED_S
            price = Price(benefit_s=benefit, cost_s=self._config.act_above * benefit)
            self._prices[action] = price
        return price

    def seconds(self, tasks: Collection[str]) -> float:
        """Computing seconds that these tasks take together."""
        return sum([self._seconds.get(task, UNMEASURED_S) for task in tasks])

    def measured(self, seconds: Mapping[str, float]) -> None:
        """Mean computing seconds by task."""
        if seconds != self._seconds:
            self._seconds = seconds
            self._prices.clear()

    def spend(self, user_id: str, jobs: Sequence[Job]) -> None:
        """Takes jobs from the user's budget of this hour, and their computing time from everybody's."""
        if not jobs:
            return
        self.budget.spend(self._seconds_run(jobs))
        now = self._clock.monotonic()
        began, spent = self._spent.get(user_id, (now, 0))
        over = now - began >= HOUR_S
        self._spent[user_id] = (now, len(jobs)) if over else (began, spent + len(jobs))
        self._spent.move_to_end(user_id)
        if len(self._spent) > MOST_USERS:
            self._spent.popitem(last=False)

    def give_back(self, user_id: str, jobs: Sequence[Job]) -> None:
        """Undoes `spend` for jobs that are not emitted."""
        if not jobs:
            return
        self.budget.give_back(self._seconds_run(jobs))
        found = self._spent.get(user_id)
        if found is not None:
            began, spent = found
            self._spent[user_id] = (began, max(0, spent - len(jobs)))

    def _seconds_run(self, jobs: Sequence[Job]) -> float:
        """A held-out job is not run."""
        return self.seconds([job.task for job in jobs if job.group is Group.TREATMENT])

    def _spent_by(self, user_id: str) -> int:
        began, spent = self._spent.get(user_id, (0.0, 0))
        return 0 if self._clock.monotonic() - began >= HOUR_S else spent
