"""What the policy knows besides the prediction: whether it may act, and what acting costs and brings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from predictor.actions import ActionRegistry
from predictor.policy import Circumstances, Price
from streams.contracts.clock import Clock
from streams.ingest.scoring import PredictionScores

#: Users whose spending is remembered; a forgotten one begins anew.
MOST_USERS = 50_000
HOUR_S = 3600.0


class Conditions:
    """Kept up to date by the role's upkeep; read at each decision."""

    def __init__(
        self,
        scores: PredictionScores,
        actions: ActionRegistry,
        *,
        enabled: bool,
        act_above: float,
        user_budget: int,
        clock: Clock,
    ) -> None:
        self._scores = scores
        self._actions = actions
        self._enabled = enabled
        self._act_above = act_above
        self._user_budget = user_budget
        self._clock = clock
        self._spent: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._seconds: Mapping[str, float] = {}
        #: Set by command; the setting wins where it says no.
        self.switched_off = False

    def of(self, user_id: str) -> Circumstances:
        return Circumstances(
            enabled=self._enabled and not self.switched_off,
            precision=self._scores.precision,
            outcomes=self._scores.outcomes,
            user_budget_left=max(0, self._user_budget - self._spent_by(user_id)),
        )

    def price(self, action: str) -> Price:
        """Benefit: the seconds its answers were measured to take. Without a measurement, one second.

        The cost is `act_above` of that, so that acting pays above this probability.
        """
        spec = self._actions.get(action)
        measured = sum(self._seconds.get(task, 0.0) for task in spec.tasks) if spec is not None else 0.0
        benefit = measured or 1.0
        return Price(benefit_s=benefit, cost_s=self._act_above * benefit)

    def measured(self, seconds: Mapping[str, float]) -> None:
        """Mean computing seconds by task."""
        self._seconds = seconds

    def spend(self, user_id: str, jobs: int) -> None:
        """Takes jobs from the user's budget of this hour."""
        if not jobs:
            return
        now = self._clock.monotonic()
        began, spent = self._spent.get(user_id, (now, 0))
        self._spent[user_id] = (now, jobs) if now - began >= HOUR_S else (began, spent + jobs)
        self._spent.move_to_end(user_id)
        if len(self._spent) > MOST_USERS:
            self._spent.popitem(last=False)

    def _spent_by(self, user_id: str) -> int:
        began, spent = self._spent.get(user_id, (0.0, 0))
        return 0 if self._clock.monotonic() - began >= HOUR_S else spent
