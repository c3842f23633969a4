"""A steady load on a running system: events published, answers read, both accounted for."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

import httpx
import msgspec

from tests.support.system import SystemUnderTest

EVENTS_PER_S = 40.0
READ_EVERY_S = 0.02
#: What says that an instance is not there, or going: whoever balances load asks the next one.
ELSEWHERE = frozenset({502, 503})


class Load:
    """Publishes log-ins of users of their own, reads what was answered, until it is left.

    `published` maps a user to the number its answer must hold. `reads` counts by outcome: "read", "missing"
    (not computed yet), and "failed", where no instance answered.
    """

    def __init__(self, system: SystemUnderTest, apis: Sequence[str], task: str) -> None:
        self._system = system
        self._apis = list(apis)
        self._task = task
        self._over = threading.Event()
        self._id = uuid.uuid4().hex[:6]
        self._threads = [
            threading.Thread(target=self._guard, args=(run,)) for run in (self._publish, self._read)
        ]
        self.published: dict[str, int] = {}
        self.reads: Counter[str] = Counter()
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._system.flush()

    def _guard(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as exc:  # noqa: BLE001 (a thread's failure is the test's)
            self.problems.append(repr(exc))

    def _publish(self) -> None:
        number = 0
        while not self._over.wait(1 / EVENTS_PER_S):
            number += 1
            user = f"u{self._id}-{number}"
            event = {
                "type": "user.logged_in",
                "id": f"{self._id}-{number}",
                "user_id": user,
                "data": {"user_id": user, "n": number},
            }
            self._system.send(self._system.topics.users, msgspec.json.encode(event), user)
            self._system.producer.poll(0)
            self.published[user] = number

    def _read(self) -> None:
        draw = random.Random(1)
        # A connection for each read: none is reused that the other side is about to close.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(timeout=10.0, trust_env=False, limits=limits) as http:
            while not self._over.wait(READ_EVERY_S):
                if self.published:
                    user = draw.choice(list(self.published))
                    self.reads[self._outcome(http, draw, user)] += 1

    def _outcome(self, http: httpx.Client, draw: random.Random, user: str) -> str:
        seen = []
        for base in draw.sample(self._apis, len(self._apis)):
            try:
                response = http.get(f"{base}/cache/{self._task}:user:{user}")
            except httpx.TransportError as exc:
                seen.append(repr(exc))
                continue
            if response.status_code in ELSEWHERE:
                seen.append(str(response.status_code))
                continue
            return self._check(response, user)
        self.problems.append(f"no instance answered: {', '.join(seen)}")
        return "failed"

    def _check(self, response: httpx.Response, user: str) -> str:
        if response.status_code == 200 and response.json()["result"]["n"] == self.published[user]:
            return "read"
        if response.status_code == 404:
            return "missing"
        self.problems.append(f"{response.status_code}: {response.text[:200]}")
        return "failed"
