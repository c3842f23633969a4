"""The load: logins that must be answered, actions that are learned from, uploads nobody has, and rubbish."""

from __future__ import annotations

import random
import threading
import time
import uuid
from typing import Self

import msgspec

from tests.support.system import SystemUnderTest

#: Users in all: few, so that each has the fifty actions that are kept of it within four minutes. From then on
#: nothing that is kept of a user may grow.
USERS = 250
#: Events a second.
RATE = 60.0
#: Of a hundred events: logins and malformed ones; the rest are actions.
LOGINS, MALFORMED = 40, 5
ACTIONS = ("view_dashboard", "view_campaign_analytics", "view_roas", "view_ctr", "view_hook", "export_report")
_RUBBISH = (b"{", b"[]", b'{"type":"no.such","data":{}}', b'{"type":"user.acted","data":{"user_id":"?"}}')
_TICK_S = 0.05


class Load:
    """Publishes until it is stopped; `newest` is each user's last login's number."""

    def __init__(self, system: SystemUnderTest, seed: int) -> None:
        self._system = system
        self._draw = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._lock = threading.Lock()
        self._newest: dict[str, tuple[int, float]] = {}
        self.published = 0
        self.malformed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._system.flush()

    def newest(self) -> dict[str, tuple[int, float]]:
        """By user: the number of the last login and when it was published."""
        with self._lock:
            return dict(self._newest)

    def _run(self) -> None:
        began, sent = time.monotonic(), 0
        while not self._stop.wait(_TICK_S):
            while sent < (time.monotonic() - began) * RATE:
                self._publish(sent)
                sent += 1
            self._system.producer.poll(0)

    def _publish(self, number: int) -> None:
        user = f"s{self._draw.randrange(USERS)}"
        kind = self._draw.randrange(100)
        if kind < MALFORMED:
            self.malformed += 1
            self._system.send(self._system.topics.users, self._draw.choice(_RUBBISH), user)
            return
        self.published += 1
        if kind < MALFORMED + LOGINS:
            body = {"type": "user.logged_in", "data": {"user_id": user, "n": number}}
            with self._lock:
                self._newest[user] = (number, time.time())
        else:
            body = {"type": "user.acted", "data": {"user_id": user, "action": self._draw.choice(ACTIONS)}}
        value = msgspec.json.encode({"id": uuid.uuid4().hex, **body})
        self._system.send(self._system.topics.users, value, user)
