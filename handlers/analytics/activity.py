"""What a user has been doing, from the history of actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise

import msgspec

from streams.contracts.history import Action

#: Seconds of silence after which a new session begins.
SESSION_GAP_S = 1800.0
TOP = 5


class ActionCount(msgspec.Struct, frozen=True, kw_only=True):
    action: str
    count: int


class ActiveDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day in UTC."""

    date: date
    actions: int


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """Of the actions that are remembered: how many, in how many sessions, which the most often."""

    actions: int
    sessions: int
    last_action_at: datetime | None
    top_actions: list[ActionCount]
    by_day: list[ActiveDay]


def activity_of(history: Sequence[Action]) -> Activity:
    times = sorted(action.at_ms / 1000 for action in history)
    gaps = sum(later - earlier > SESSION_GAP_S for earlier, later in pairwise(times))
    days = Counter(datetime.fromtimestamp(at, UTC).date() for at in times)
    counted = Counter(action.name for action in history).most_common(TOP)
    return Activity(
        actions=len(times),
        sessions=gaps + 1 if times else 0,
        last_action_at=datetime.fromtimestamp(times[-1], UTC) if times else None,
        top_actions=[ActionCount(action=name, count=count) for name, count in counted],
        by_day=[ActiveDay(date=day, actions=count) for day, count in sorted(days.items())],
    )
