"""The first events of a new installation, published while its processes still share partitions out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import redis

from streams.cache.names import RedisNames
from streams.contracts.history import Action
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

USERS, EACH = 200, 5


def test_nothing_is_lost_before_the_first_commit(kafka: str, valkey: str, tmp_path: Path) -> None:
    system = SystemUnderTest(tmp_path, kafka, valkey, predictor="false")
    client = redis.Redis.from_url(valkey)
    names = RedisNames(system.settings.namespace)
    with system:
        for number in range(2):
            role = system.add(f"streams:{number}")
            role._environment["PRECOMPUTE_DATA_DIR"] = str(tmp_path / str(number))
            role.start()
        for role in system.roles.values():
            role.wait_ready(90)
        for number in range(USERS * EACH):
            user = f"u{number % USERS}"
            body = {"type": "user.acted", "data": {"user_id": user, "action": f"a{number // USERS}"}}
            system.send(system.topics.users, msgspec.json.encode(body), user)
        system.flush()

        def complete() -> bool:
            rows = client.mget([names.history(f"u{number}") for number in range(USERS)])
            return all(
                row and len(msgspec.msgpack.decode(row, type=list[Action])) == EACH + 1 for row in rows
            )

        wait_until(complete, within_s=60, what=f"{EACH} actions of each of {USERS} users")
