"""One run: load, faults in between, then the account."""

from __future__ import annotations

import asyncio
import random
import struct
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from streams.contracts.errors import UnavailableError
from streams.contracts.jobs import Why, encode_job, new_job
from streams.contracts.keys import CacheKey
from streams.kafka.lag import GroupLag
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey
from tests.chaos.account import Account
from tests.chaos.faults import FAULTS, schedule
from tests.chaos.ledger import POISON, Ledger, Verdict
from tests.chaos.probe import CLOCK, TRACES
from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

SOURCE = "chaos"
#: One user in so many logs in again later: its newest event must win.
REPEATERS = 10


class ChaosOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`faults` None means all of them; `rate` is events a second."""

    jobs: int
    seed: int
    fault_count: int
    faults: tuple[str, ...] | None = None
    rate: float = 400.0
    workers: int = 2
    storm_rounds: int = 5
    settle_s: float = 180.0


class ChaosRun:
    def __init__(self, options: ChaosOptions, folder: Path, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._traces = folder / "traces"
        self._traces.mkdir(parents=True)
        self._clock = folder / "clock"
        self.step_clock(0.0)
        self.kafka = LocalKafka()
        self.valkey = LocalValkey()
        self.folder = folder
        self.storm_rounds = options.storm_rounds
        self.wiped = False
        self.workers = [f"worker:{number}" for number in range(options.workers)]
        self.ledger = Ledger()
        self.system: SystemUnderTest
        self.poison: list[str] = []
        self._recovery: dict[str, float] = {}

    def run(self) -> Verdict:
        started = time.monotonic()
        with self.kafka, self.valkey:
            self.system = SystemUnderTest(
                self.folder,
                self.kafka.bootstrap_servers,
                self.valkey.url,
                handler_modules="tests.chaos.probe",
                workers="16",
            )
            self.system.environment |= {
                TRACES: str(self._traces),
                CLOCK: str(self._clock),
                "PYTHONPATH": str(Path.cwd()),
            }
            with self.system:
                self.system.start("streams", *self.workers, "api")
                verdict = self._load_and_account()
        verdict.elapsed_s = round(time.monotonic() - started, 1)
        return verdict

    def recovered(self, fault: str, seconds: float) -> None:
        """Notes how long the slowest recovery from a fault took."""
        self._recovery[fault] = round(max(seconds, self._recovery.get(fault, 0.0)), 1)

    def step_clock(self, seconds: float) -> None:
        """From now on the wall clocks of all roles are off by that much."""
        with self._clock.open("r+b" if self._clock.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))

    def publish_poison(self, count: int) -> None:
        for _ in range(count):
            user = f"poison-{len(self.poison)}"
            job = new_job(
                CacheKey(POISON, "user", user),
                user_id=user,
                priority=8,
                why=Why.UPLOAD,
                cause=f"chaos/{user}",
                created_at=int(time.time() * 1000),
                input_version=1,
                payload=msgspec.json.encode({"user_id": user}),
            )
            self.poison.append(job.id)
            self.system.send(self.system.topics.jobs(8), encode_job(job), job.key)

    def _load_and_account(self) -> Verdict:
        names = list(self._options.faults or FAULTS)
        order = schedule(self._options.seed, names, self._options.fault_count)
        publisher = threading.Thread(target=self._publish)
        publisher.start()
        draw = random.Random(self._options.seed + 1)
        share = self._options.jobs / (len(order) + 1)
        for number, name in enumerate(order, start=1):
            wait_until(
                lambda due=share * number: self.ledger.published >= due or None,  # type: ignore[misc]
                within_s=3600,
                what="the next fault",
            )
            self._say(f"{self.ledger.published} published; {name}")
            FAULTS[name](self, draw)
        publisher.join()
        self._say("all published; settling")
        self._settle()
        account = Account(self.system, self.ledger, self._traces, self.poison)
        verdict = asyncio.run(account.settle(self._options.seed, wiped=self.wiped))
        verdict.recovery_s = self._recovery
        verdict.faults = {name: order.count(name) for name in names if name in order}
        return verdict

    def _publish(self) -> None:
        draw = random.Random(self._options.seed)
        users: list[str] = []
        began = time.monotonic()
        pause = threading.Event()
        for n in range(self._options.jobs):
            repeat = bool(users) and draw.randrange(REPEATERS) == 0
            user = draw.choice(users) if repeat else f"u{n}-{uuid.UUID(int=draw.getrandbits(128)).hex[:8]}"
            if not repeat:
                users.append(user)
            event_id = f"{self._options.seed}-{n}"
            value = msgspec.json.encode(
                {"type": "user.logged_in", "id": event_id, "user_id": user, "data": {"user_id": user, "n": n}}
            )
            self.ledger.publish(user, n, f"plain/{event_id}")
            self.system.send(self.system.topics.users, value, user)
            self.system.producer.poll(0)
            ahead = n / self._options.rate - (time.monotonic() - began)
            if ahead > 0:
                pause.wait(ahead)
        self.system.flush()

    def _settle(self) -> None:
        """Until streams and workers have committed everything."""
        settings = self.system.settings
        topics = settings.topics
        events = GroupLag(settings, settings.group_streams, topics.events)
        jobs = GroupLag(settings, settings.group_worker, self.system.job_topics())

        def behind() -> int:
            async def ask() -> int:
                return sum((await events.read()).values()) + sum((await jobs.read()).values())

            try:
                return asyncio.run(ask())
            except UnavailableError:
                # The broker is still coming back from the last fault.
                return 1

        for role in self.system.roles.values():
            if role.name != "storm":
                role.wait_ready(90)
        wait_until(lambda: behind() == 0 or None, within_s=self._options.settle_s, what="an empty queue")
