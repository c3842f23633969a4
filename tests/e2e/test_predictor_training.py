"""What users did, read back from Kafka for training."""

from __future__ import annotations

import uuid

import pytest

from streams.ingest.archive import read_actions
from tests.support.system import SystemUnderTest

pytestmark = [pytest.mark.kafka, pytest.mark.redis]


def test_actions_come_back_in_sessions(system: SystemUnderTest) -> None:
    user = f"trainee-{uuid.uuid4().hex[:8]}"
    actions = ["view_dashboard", "view_roas", "export_report"]
    for action in actions:
        system.publish("user.acted", user, {"action": action})
    system.publish("user.logged_in", user, {})
    system.publish("user.acted", user, {"action": "view_ctr"})
    system.send(system.topics.users, b"not an event", user)
    system.flush()

    mine = [record for record in read_actions(system.settings) if record.user == user]

    assert [record.action for record in mine] == [*actions, "view_ctr"]
    assert [record.session for record in mine] == ["0", "0", "0", "1"]
    assert [record.at_ms for record in mine] == sorted(record.at_ms for record in mine)
