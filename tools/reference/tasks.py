"""tasks.md: task types, triggers, priorities, causes, actions and states, from the contracts."""

from __future__ import annotations

from handlers.registry import Registry
from predictor.actions import BUILTIN_ACTIONS
from predictor.policy import WhyNot
from streams.contracts.events import EventType, topic_of
from streams.contracts.jobs import Priority, Why
from streams.contracts.states import Reason, Status
from streams.contracts.tasks import BUILTIN_TASKS
from streams.contracts.topics import TopicNames
from streams.contracts.triggers import BUILTIN_TRIGGERS
from tools.reference.markdown import code, page, table

_INTRO = """
What can be precomputed, what asks for it, and the words that metrics, jobs and answers use. A cache key reads
`{task}:{entity}:{id}`, for example `ctr_prediction:video:v42`. What each result holds:
[the handlers](handlers.md) and the [schemas](schemas.md).
"""
_PRIORITIES = {
    "DEMAND": "somebody is waiting",
    "OPERATOR": "an operator retries a job",
    "UPLOAD": "a video was uploaded",
    "CAMPAIGN": "a campaign was created",
    "LOGIN": "a user logged in",
    "PREDICTED_MAX": "a prediction of the highest expected value",
    "BATCH": "a batch",
    "ANALYTICS": "analytics of a new campaign",
    "CHANGED": "an entity changed",
    "REFRESH": "a refresh",
    "PREDICTED_MIN": "a prediction of the lowest expected value that is worth it",
}


def tasks_page(registry: Registry) -> str:
    source = "streams/contracts/, handlers/ and predictor/actions.py"
    parts = (_tasks(registry), _triggers(), _priorities(), _actions(), _words())
    return page("Task types, triggers and actions", source, _INTRO, *parts)


def _tasks(registry: Registry) -> str:
    rows = []
    for spec in BUILTIN_TASKS.values():
        found = registry[spec.name]
        needs = ", ".join(map(code, found.needs))
        extra = ", ".join(map(code, found.extra.split(","))) if found.extra else ""
        hours, timeout = f"{spec.ttl_s / 3600:g} h", f"{spec.timeout_s:g} s"
        rows.append([code(spec.name), spec.entity, hours, timeout, found.kind, needs, extra])
    columns = ["task", "of a", "fresh for", "timeout", "kind", "needs", "extra"]
    return "## Task types\n\n" + table(columns, rows)


def _triggers() -> str:
    names = TopicNames()
    rows = []
    for event_type in EventType:
        asked = [one for one in BUILTIN_TRIGGERS if one.event_type == event_type]
        jobs = ", ".join(f"{code(one.task)} at {one.priority}" for one in asked)
        rows.append([code(event_type), code(topic_of(event_type, names)), jobs])
    more = (
        "`user.logged_in` and `user.acted` also lead to a prediction, whose jobs have priority "
        f"{Priority.PREDICTED_MIN} to {Priority.PREDICTED_MAX}. `entity.changed` invalidates every answer of "
        f"its entity and asks for all of them again at {Priority.CHANGED}. `POST /demand` asks at "
        f"{Priority.DEMAND}, a refresh at {Priority.REFRESH}, a batch at {Priority.BATCH}."
    )
    return "## Triggers\n\n" + table(["event", "topic", "jobs"], rows) + f"\n\n{more}"


def _priorities() -> str:
    rows = sorted(((getattr(Priority, name), text) for name, text in _PRIORITIES.items()), reverse=True)
    return "## Priorities\n\n" + table(["priority", "given to"], rows)


def _actions() -> str:
    rows = [
        [code(one.name), one.entity, ", ".join(map(code, one.tasks)), one.description]
        for one in BUILTIN_ACTIONS.values()
    ]
    intro = "Other actions are learned from, but start no job."
    return f"## Actions\n\n{intro}\n\n" + table(["action", "about a", "answered by", "what it is"], rows)


def _words() -> str:
    lists = {
        "Statuses of a job": [one.value for one in Status],
        "Reasons of an end": [one.value for one in Reason if one.value],
        "Causes of a job (`why`)": [one.value for one in Why],
        "Why a prediction is not acted on (`why_not`)": [one.value for one in WhyNot],
    }
    lines = [f"- {title}: {', '.join(map(code, words))}." for title, words in lists.items()]
    return "## Words\n\n" + "\n".join(lines)
