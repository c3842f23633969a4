"""One endurance run: load, restarts now and then, samples, then the account."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.soak.load import USERS, Load
from bench.soak.watching import Sample, Watcher, verdicts
from bench.worker.running import ROOT
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

#: Of a run: restarts come in its first part, so that every process has a long life in the rest.
RESTARTS_UNTIL = 0.4
SAMPLES = 120
#: A sample asks everybody, which is load as well.
SHORTEST_S = 2.0
SETTLE_WITHIN_S = 180.0
#: Answers may be read again for so many users when all is over; more would take minutes.
CHECKED = 500
#: The user whose answer is computed for the latency samples; it is none of the load's.
PROBE = "probe"
READERS = 16
TRIES = 3


class SoakRun:
    def __init__(self, minutes: float, seed: int, folder: Path, say: Callable[[str], None]) -> None:
        self._seconds = minutes * 60
        self._draw = random.Random(seed)
        self._seed = seed
        self._folder = folder
        self._say = say
        self.restarted: list[tuple[float, str]] = []
        self.samples: list[Sample] = []
        self.figures: dict[str, Any] = {}

    def run(self) -> list[dict[str, Any]]:
        """The rows of what might grow; `figures` has what was published and what was lost."""
        with LocalKafka() as kafka, LocalValkey() as valkey:
            system = SystemUnderTest(
                self._folder,
                kafka.bootstrap_servers,
                valkey.url,
                handler_modules="bench.soak.handler",
                workers="8",
                stale_s="30",
                ledger_ttl_s="120",
            )
            system.environment["PYTHONPATH"] = str(ROOT)
            with system:
                system.start("streams", "worker:a", "worker:b", "api")
                self._live(system)
        return verdicts(self.samples, self.restarted)

    def _live(self, system: SystemUnderTest) -> None:
        system.publish("user.logged_in", PROBE, {"n": 0})
        watcher = Watcher(system)
        self.samples = watcher.samples
        began = time.monotonic()
        due = self._restarts(system)
        with Load(system, self._seed) as load:
            pause = threading.Event()
            while time.monotonic() - began < self._seconds:
                pause.wait(max(SHORTEST_S, self._seconds / SAMPLES))
                while due and time.monotonic() - began >= due[0][0]:
                    _, label, restart = due.pop(0)
                    self.restarted.append((time.monotonic() - began, label))
                    self._say(f"{time.monotonic() - began:.0f} s: restarting {label}")
                    restart()
                watcher.sample(PROBE)
        wait_until(lambda: watcher.lag() == 0 or None, within_s=SETTLE_WITHIN_S, what="empty queues")
        self._account(system, load)

    def _restarts(self, system: SystemUnderTest) -> list[tuple[float, str, Callable[[], None]]]:
        """Every role once, killed or stopped, at drawn times of the run's first part."""
        labels = ["worker:a", "streams", "worker:b", "api"]
        times = sorted(self._draw.uniform(0.05, RESTARTS_UNTIL) * self._seconds for _ in labels)

        def restart(label: str) -> Callable[[], None]:
            kills = self._draw.random() < 0.5

            def act() -> None:
                role = system.roles[label]
                role.kill() if kills else role.stop(within_s=40)
                role.start()
                role.wait_ready(90)

            return act

        return [(at, label, restart(label)) for at, label in zip(times, labels, strict=True)]

    def _account(self, system: SystemUnderTest, load: Load) -> None:
        """Every user's answer must be of its newest login, now or when it is read again; rubbish is kept."""
        newest = load.newest()
        users = self._draw.sample(sorted(newest), min(CHECKED, len(newest)))
        found = asyncio.run(_read_all(str(system.http.base_url), users))
        older = sum(found[user] is not None and found[user] < newest[user][0] for user in users)
        letters = len(system.records(f"{system.topics.prefix}events.dlq"))
        self.figures = {
            "minutes": round(self._seconds / 60, 1),
            "events": load.published,
            "users": USERS,
            "restarts": len(self.restarted),
            "answers checked": len(users),
            "answers lost": sum(found[user] is None for user in users),
            "answers of an older event": older,
            "malformed": load.malformed,
            # At least once: a kill may bury one twice.
            "malformed lost": max(0, load.malformed - letters),
        }


async def _read_all(base_url: str, users: list[str]) -> dict[str, int | None]:
    readers = asyncio.Semaphore(READERS)
    async with httpx.AsyncClient(base_url=base_url, timeout=40, trust_env=False) as http:

        async def read(user: str) -> int | None:
            for _ in range(TRIES):
                # A server may close a kept connection just as a request is sent over it.
                with contextlib.suppress(httpx.TransportError):
                    async with readers:
                        answer = await http.get(
                            f"/cache/soak_answer:user:{user}", headers={"Prefer": "wait=25"}
                        )
                    return int(answer.json()["result"]["n"]) if answer.status_code == 200 else None
            return None

        return dict(zip(users, await asyncio.gather(*map(read, users)), strict=True))
