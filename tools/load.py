"""A steady stream of events and reads, for `docker compose --profile load up`.

Users log in, act and start campaigns; after each event somebody reads what it should have precomputed.
Prints one JSON line every ten seconds. Stops on SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from streams.contracts.cloudevents import encode_binary
from streams.contracts.events import EventType, topic_of
from streams.kafka.producer import AckedProducer
from streams.settings import load_settings

REPORT_EVERY_S = 10.0
#: What users of an advertising tool mostly do: look around, rarely create.
MIX = {EventType.USER_ACTED: 60, EventType.USER_LOGGED_IN: 30, EventType.CAMPAIGN_CREATED: 10}
ACTIONS = ("view_dashboard", "view_campaign_analytics", "view_variants", "view_roas")


@dataclass(frozen=True, kw_only=True)
class LoadConfig:
    """Rates are per second."""

    events_per_s: float
    users: int
    api: str

    def __post_init__(self) -> None:
        if self.events_per_s <= 0 or self.users < 1:
            raise ValueError("LOAD_EVENTS_PER_S must be above 0 and LOAD_USERS at least 1")

    @classmethod
    def from_environment(cls) -> LoadConfig:
        return cls(
            events_per_s=float(os.environ.get("LOAD_EVENTS_PER_S", "20")),
            users=int(os.environ.get("LOAD_USERS", "200")),
            api=os.environ.get("LOAD_API", "http://127.0.0.1:8003/api/precompute"),
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One event and the cache key that somebody reads after it."""

    event_type: str
    user_id: str
    data: dict[str, Any]
    key: str


def make_steps(users: int, rng: random.Random) -> Iterator[Step]:
    """An endless stream of steps; the same generator state gives the same stream."""
    kinds, weights = list(MIX), list(MIX.values())
    while True:
        user = f"load-{rng.randrange(users)}"
        yield _make_step(rng.choices(kinds, weights)[0], user, rng)


def _make_step(kind: EventType, user: str, rng: random.Random) -> Step:
    campaign = f"{user}-c{rng.randrange(3)}"
    data: dict[str, Any] = {"user_id": user}
    key = f"dashboard_data:user:{user}"
    if kind is EventType.USER_ACTED:
        action = rng.choice(ACTIONS)
        data |= {"action": action}
        if action != "view_dashboard":
            data |= {"entity": "campaign", "entity_id": campaign}
            key = f"campaign_analytics:campaign:{campaign}"
    elif kind is EventType.CAMPAIGN_CREATED:
        data |= {"campaign_id": campaign, "brief": {"product": "running shoes", "audience": "beginners"}}
        key = f"variant_scoring:campaign:{campaign}"
    return Step(event_type=kind.value, user_id=user, data=data, key=key)


class Load:
    """Publishes and reads at the configured rate until stopped; a failed call is counted, not fatal."""

    def __init__(self, config: LoadConfig, producer: AckedProducer, client: httpx.AsyncClient) -> None:
        self._config = config
        self._producer = producer
        self._client = client
        self._topics = load_settings().topics
        self.counts: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        running: set[asyncio.Task[None]] = set()
        for step in make_steps(self._config.users, random.Random()):  # noqa: S311 (load, no secret)
            if stop.is_set():
                break
            task = asyncio.create_task(self._take(step))
            running.add(task)
            task.add_done_callback(running.discard)
            due += 1 / self._config.events_per_s
            await asyncio.sleep(max(0.0, due - loop.time()))
        await asyncio.gather(*running)

    async def _take(self, step: Step) -> None:
        try:
            await self._publish(step)
            answer = await self._client.get(f"{self._config.api}/cache/{step.key}")
        except Exception as exc:  # noqa: BLE001 (load goes on while servers restart)
            self.counts[f"error {type(exc).__name__}"] += 1
        else:
            self.counts[f"read {answer.status_code}"] += 1

    async def _publish(self, step: Step) -> None:
        raw = json.dumps(step.data).encode()
        value, headers = encode_binary(step.event_type, raw, source="load", event_id=uuid.uuid4().hex)
        topic = topic_of(step.event_type, self._topics)
        await self._producer.send(topic, value, key=step.user_id, headers=list(headers))
        self.counts["published"] += 1


async def main() -> None:
    config = LoadConfig.from_environment()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    producer = AckedProducer(load_settings())
    await producer.start()
    try:
        async with httpx.AsyncClient(timeout=5.0) as client:
            load = Load(config, producer, client)
            reporting = asyncio.create_task(_report(load))
            await load.run(stop)
            reporting.cancel()
    finally:
        await producer.stop()


async def _report(load: Load) -> None:
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        sys.stdout.write(json.dumps(load.counts) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
