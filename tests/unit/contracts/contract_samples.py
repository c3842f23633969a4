"""Events and jobs of the tests: strategies, and short ways to write one down."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from streams.contracts.cloudevents import RecordPlace, decode_event
from streams.contracts.events import Event
from streams.contracts.jobs import Group, Job, Why, new_job
from streams.contracts.keys import CacheKey
from streams.contracts.tasks import BUILTIN_TASKS

PLACE = RecordPlace("precompute.events.users", 3, 41, 1_700_000_000_123)
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]

ids = st.text("ABCxyz019._-", min_size=1, max_size=128)
#: What JSON can hold and msgspec decodes; keys and texts of any characters.
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
attributes = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)


@st.composite
def event_data(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    """A type and data that keeps its contract, with a field nobody knows."""
    entity, user = draw(ids), draw(ids)
    known: dict[str, dict[str, object]] = {
        "video.uploaded": {"video_id": entity, "uri": draw(attributes)},
        "campaign.created": {"campaign_id": entity, "brief": draw(st.text(max_size=50))},
        "user.logged_in": {},
        "user.acted": {"action": draw(ids), "entity": "video", "entity_id": entity},
        "entity.changed": {"entity": "video", "entity_id": entity},
    }
    kind = draw(st.sampled_from(sorted(known)))
    return kind, {**known[kind], "user_id": user, "unheard_of": draw(json_values)}


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    why = draw(st.sampled_from(Why))
    task = draw(st.sampled_from(sorted(BUILTIN_TASKS)))
    return new_job(
        CacheKey(task, BUILTIN_TASKS[task].entity, draw(ids)),
        cause=draw(attributes),
        user_id=draw(ids),
        priority=draw(st.integers(1, 10)),
        why=why,
        recompute=why in (Why.REFRESH, Why.CHANGED) or draw(st.booleans()),
        created_at=draw(st.integers(0, 10**14 - 1)),
        input_version=draw(st.integers(0, 2**63 - 1)),
        payload=msgspec.json.encode(draw(json_values)),
        probability=draw(st.none() | st.floats(0, 1)),
        group=draw(st.sampled_from(Group)),
        expires_at=draw(st.none() | st.integers(0, 10**14 - 1)),
        event_at=draw(st.none() | st.integers(0, 10**14 - 1)),
    )


def plain(event_type: str, data: object, **attributes: object) -> bytes:
    """An event in plain JSON."""
    return msgspec.json.encode({"type": event_type, "data": data, **attributes})


def acted(**data: object) -> Event:
    """A decoded `user.acted` with the given data beside what it needs."""
    return decode_event(plain("user.acted", {"user_id": "u1", "action": "view", **data}), (), PLACE)
