"""Bad input never stops a stream and is never dropped."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers.sample_clip import ClipTruth
from streams.contracts.cloudevents import encode_binary
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(180)]

EACH = 200
#: Kind of malformed record, and the dead letter's reason it must get.
KINDS = {
    "text": "not_json",
    "invalid_utf8": "not_json",
    "deep": "schema",
    "wrong_type": "schema",
    "missing_field": "schema",
    "bad_id": "schema",
    "unknown_type": "unknown_type",
    "wrong_key": "key_mismatch",
    "no_key": "key_mismatch",
    "two_users": "user_mismatch",
    "junk": "not_json",
    "binary_without_id": "schema",
}


def event(data: dict[str, Any], kind: str = "user.acted", **top: Any) -> bytes:
    return msgspec.json.encode({"type": kind, "id": uuid.uuid4().hex, **top, "data": data})


def binary_without_id(data: dict[str, Any]) -> tuple[bytes, list[tuple[str, bytes]]]:
    value, headers = encode_binary("user.acted", msgspec.json.encode(data), source="tests", event_id="x")
    return value, [header for header in headers if header[0] != "ce_id"]


def malformed(kind: str, user: str) -> tuple[bytes, str | None, list[tuple[str, bytes]]]:
    """Value, key and headers of a record that must become a dead letter."""
    acted = {"user_id": user, "action": "view_dashboard"}
    if kind == "binary_without_id":
        value, headers = binary_without_id(acted)
        return value, user, headers
    values = {
        "text": b"hello",
        "invalid_utf8": b'{"type": "user.acted\xff\xfe", "data": {}}',
        "deep": b"[" * 5000 + b"]" * 5000,
        "wrong_type": event({**acted, "action": 7}),
        "missing_field": event({"user_id": user}),
        "bad_id": event({**acted, "user_id": "a b:c"}),
        "unknown_type": event(acted, "user.teleported"),
        "wrong_key": event(acted),
        "no_key": event(acted),
        "two_users": event(acted, user_id="somebody-else"),
        "junk": bytes(2 * 1024 * 1024),
    }
    keys: dict[str, str | None] = {"wrong_key": f"{user}-other", "no_key": None, "bad_id": "a b:c"}
    return values[kind], keys.get(kind, user), []


def test_malformed_events_between_good_ones(system: SystemUnderTest) -> None:
    draw = random.Random(4)
    users = [f"good-{uuid.uuid4().hex[:8]}" for _ in range(EACH)]
    kinds = [list(KINDS)[n % len(KINDS)] for n in range(EACH)]
    before = len(system.records(system.topics.events_dlq))
    originals = Counter[bytes]()
    for kind, user in draw.sample(list(zip(kinds, users, strict=True)), EACH):
        value, key, headers = malformed(kind, user)
        originals[value] += 1
        system.send(system.topics.users, value, key, headers)
        system.send(system.topics.users, event({"user_id": user}, "user.logged_in"), user)
    system.flush()

    for user in users:
        wait_until(
            lambda user=user: system.answer(f"dashboard_data:user:{user}"),
            within_s=60,
            what=f"{user}'s answer",
        )
    letters = system.records(system.topics.events_dlq, at_least=before + EACH)[-10_000:]
    mine = [letter for letter in letters if originals[letter.value()]]
    assert len(mine) == EACH
    assert Counter(letter.value() for letter in mine) == originals
    reasons = Counter(dict(letter.headers())["precompute-reason"].decode() for letter in mine)
    assert reasons == Counter(KINDS[kind] for kind in kinds)
    places = {dict(letter.headers())["precompute-source"].decode() for letter in mine}
    assert len(places) == EACH
    assert all(place.startswith(f"{system.topics.users}/") for place in places)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("{root}/missing.mp4", "no such file"),
        ("{root}/notes.mp4", " "),
        ("/etc/hostname", "PRECOMPUTE_MEDIA_ROOTS"),
        ("{root}/../outside.mp4", " "),
        ("ftp://example.org/x.mp4", " "),
    ],
)
def test_unusable_video_is_unavailable_with_a_reason(
    system: SystemUnderTest, clip: ClipTruth, uri: str, told: str
) -> None:
    root = Path(clip.path).parent
    (root / "notes.mp4").write_text("no video at all\n" * 100)
    video, user = f"bad-{uuid.uuid4().hex[:8]}", f"user-{uuid.uuid4().hex[:8]}"

    jobs = system.publish("video.uploaded", user, {"video_id": video, "uri": uri.format(root=root)})
    ended = system.ended(jobs)

    # Found unusable by itself, or already while another task needed it.
    scenes = ended["scene_detection"]
    assert scenes["status"] == "failed" or (scenes["status"], scenes["reason"]) == ("skipped", "duplicate")
    response = system.http.get(f"/cache/scene_detection:video:{video}")
    assert response.status_code == 404
    problem = response.json()
    assert problem["state"] == "unavailable"
    assert problem["reason"]
    assert told in problem["detail"], problem
    assert all(role.pid is not None and not role.has_ended() for role in system.roles.values())


def test_event_on_the_wrong_partition_is_sent_on(system: SystemUnderTest) -> None:
    """Librdkafka's default partitioner is not Java's: its records land elsewhere, and nothing is lost."""
    users = [f"moved-{uuid.uuid4().hex[:8]}" for _ in range(8)]
    for number, user in enumerate(users):
        value = event({"user_id": user}, "user.logged_in")
        system.send(system.topics.users, value, user, partition=number % 4)
    system.flush()
    for user in users:
        wait_until(lambda user=user: system.answer(f"dashboard_data:user:{user}"), what=f"{user}'s answer")
