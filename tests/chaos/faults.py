"""The faults, each of which does its harm and mends what it broke."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import redis

if TYPE_CHECKING:
    from tests.chaos.run import ChaosRun

#: Each costs three processes.
POISON_AT_ONCE = 3

_pause = threading.Event().wait


def kill_worker(run: ChaosRun, draw: random.Random) -> None:
    role = run.system.roles[draw.choice(run.workers)]
    role.kill()
    killed = time.monotonic()
    role.start()
    role.wait_ready(90)
    run.recovered("kill_worker", time.monotonic() - killed)


def restart_worker(run: ChaosRun, draw: random.Random) -> None:
    role = run.system.roles[draw.choice(run.workers)]
    role.stop(within_s=40)
    role.start()


def freeze_worker(run: ChaosRun, draw: random.Random) -> None:
    """Longer than the group's session: its partitions go elsewhere, and then it wakes up."""
    role = run.system.roles[draw.choice(run.workers)]
    role.send_signal(signal.SIGSTOP)
    _pause(18.0)
    role.send_signal(signal.SIGCONT)


def storm(run: ChaosRun, draw: random.Random) -> None:
    """A replica joins and leaves again and again."""
    role = run.system.add("worker:storm")
    for _ in range(run.storm_rounds):
        role.start()
        _pause(draw.uniform(0.5, 2.0))
        role.kill() if draw.random() < 0.5 else role.stop(within_s=40)


def kill_streams(run: ChaosRun, _: random.Random) -> None:
    role = run.system.roles["streams"]
    role.kill()
    killed = time.monotonic()
    role.start()
    role.wait_ready(90)
    run.recovered("kill_streams", time.monotonic() - killed)


def restart_broker(run: ChaosRun, _: random.Random) -> None:
    run.kafka.stop()
    run.kafka.start()


def kill_broker(run: ChaosRun, _: random.Random) -> None:
    run.kafka.kill()
    run.kafka.start()


def restart_redis(run: ChaosRun, draw: random.Random) -> None:
    run.valkey.kill() if draw.random() < 0.5 else run.valkey.stop()
    _pause(draw.uniform(0.0, 2.0))
    run.valkey.start()


def wipe_redis(run: ChaosRun, _: random.Random) -> None:
    """Answers are lost, work is not."""
    run.valkey.kill()
    run.valkey.forget()
    run.valkey.start()
    run.wiped = True


def slow_redis(run: ChaosRun, draw: random.Random) -> None:
    with redis.Redis.from_url(run.valkey.url) as client:
        client.client_pause(int(draw.uniform(500, 3000)))


def fill_redis(run: ChaosRun, draw: random.Random) -> None:
    """Every write is refused with OOM for a while."""
    with redis.Redis.from_url(run.valkey.url) as client:
        client.config_set("maxmemory", "1mb")
        _pause(draw.uniform(0.5, 3.0))
        client.config_set("maxmemory", "0")


def step_clock(run: ChaosRun, draw: random.Random) -> None:
    """All roles' wall clocks jump, and some seconds later back again."""
    run.step_clock(draw.choice((-1, 1)) * draw.uniform(60, 600))
    _pause(draw.uniform(2.0, 8.0))
    run.step_clock(0.0)


def poison_jobs(run: ChaosRun, _: random.Random) -> None:
    """Jobs that take down every process which runs them."""
    run.publish_poison(POISON_AT_ONCE)


Fault = Callable[["ChaosRun", random.Random], None]

FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        kill_worker,
        restart_worker,
        freeze_worker,
        storm,
        kill_streams,
        restart_broker,
        kill_broker,
        restart_redis,
        wipe_redis,
        slow_redis,
        fill_redis,
        step_clock,
        poison_jobs,
    )
}


def schedule(seed: int, names: list[str], count: int) -> list[str]:
    """Each fault once before any comes twice, in an order the seed decides."""
    draw = random.Random(seed)
    order: list[str] = []
    while len(order) < count:
        batch = list(names)
        draw.shuffle(batch)
        order += batch
    return order[:count]
