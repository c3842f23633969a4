"""The same replay on a real broker, a real cache and the three roles, sixty times as fast.

Some hours of the day become minutes. Everything that is a time is divided by sixty: TTLs, the session gap,
what an answer takes (an HTTP service that only waits). What is not ours to divide, the broker's and Redis'
own milliseconds, stays: the simulation it is compared with runs at the same pace, with the overheads that
probes measured first.
"""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bench.impact.actions import CAMPAIGN
from bench.impact.behaviour import DAY_S, DAYS, Step, draw_steps
from bench.impact.decisions import events_of
from bench.impact.durations import NEEDS, Durations
from bench.impact.replays import Stage
from bench.impact.worlds import SLOTS, Replay, Setup, World
from bench.report import percentile
from predictor.actions import BUILTIN_ACTIONS
from predictor.archive import load_blend
from predictor.registry import Registry
from streams.contracts.cloudevents import encode_binary
from streams.contracts.events import topic_of
from streams.contracts.tasks import BUILTIN_TASKS, PrecomputeTaskType
from streams.kafka.lag import GroupLag
from streams.local.kafka import LocalKafka
from streams.local.valkey import LocalValkey
from tests.support.eventually import eventually
from tests.support.system import SystemUnderTest

SPEED = 60.0
#: The first part fills the cache and is not measured: as long as the rest, but at most so many hours.
WARM_HOURS = 1.0
#: What the simulation may differ by and still count as confirmed.
HIT_BAND, WAIT_BAND, JOBS_BAND = 0.05, 0.25, 0.15
#: The history that it begins with: its events ask for jobs that are not wanted here.
PAST = 3
#: The jobs of the past, before the replay begins.
DRAINED_WITHIN_S = 180.0
#: Requests by which the client's own overhead is measured.
PROBES = 20
#: Beyond the replay's end, for the last readers.
AFTER_S = 10.0


#: Asked for by the probes: it computes for milliseconds.
PROBED = PrecomputeTaskType.ROAS_PREDICTION
WAIT = {"Prefer": "wait=30"}
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    #: Connections that wait to be accepted; of the five that are usual here, the next is refused.
    request_queue_size = 256


class WaitingService:
    """An HTTP service in the handlers' place: each call takes its drawn time and is counted."""

    def __init__(self, durations: Durations) -> None:
        self.calls: Counter[str] = Counter()
        self._durations = durations
        self.counting = False
        service = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                _, task, entity_id = self.path.split("/")
                self.rfile.read(int(self.headers["content-length"]))
                demand = durations.of(task, entity_id)
                time.sleep(demand.cpu_s + demand.wait_s)
                if service.counting:
                    service.calls[task] += 1
                # In one write: two would wait for each other's acknowledgement.
                self.wfile.write(_ANSWER)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def seconds(self, task: str) -> float:
        """How long a call of a task takes that takes all entities the same time."""
        demand = self._durations.of(task, "probe")
        return demand.cpu_s + demand.wait_s

    def declaration(self) -> dict[str, Any]:
        """PRECOMPUTE_HTTP_HANDLERS: every task, its TTL at the replay's speed."""
        return {
            "handlers": [
                {
                    "task": task.value,
                    "version": "1",
                    "url": f"{self.url}/{task.value}/{{entity_id}}",
                    "ttl_s": BUILTIN_TASKS[task].ttl_s / SPEED,
                    "needs": [str(need) for need in NEEDS.get(task, ())],
                }
                for task in PrecomputeTaskType
            ]
        }

    def stop(self) -> None:
        self._server.shutdown()


class LiveReplay:
    def __init__(self, system: SystemUnderTest, service: WaitingService) -> None:
        self._system = system
        self._service = service
        self._numbers = count()
        self.waits: list[float] = []
        self.hits = 0
        #: Median seconds of a request whose answers are there, and what a miss takes beside computing.
        self.read_s = 0.0
        self.job_s = 0.0

    async def run(self, past: Sequence[Step], steps: Sequence[Step], measured_from: float) -> None:
        """Steps at their times; `at_s` in the replay's own seconds, from 0."""
        for step in past:
            self._publish(step, time.time() + step.at_s)
        self._system.flush()
        await self._forget_answers()
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
        async with httpx.AsyncClient(
            base_url=self._system.http.base_url, timeout=60.0, trust_env=False, limits=limits
        ) as http:
            await self._probe(http, past)
            self._forget()
            begins = time.time() + 1.0
            running = set()
            for step in steps:
                await asyncio.sleep(max(0.0, begins + step.at_s - time.time()))
                is_measured = step.at_s >= measured_from
                self._service.counting = is_measured
                if tasks := _tasks_of(step):
                    reading = asyncio.create_task(self._read(http, step, tasks, is_measured=is_measured))
                    running.add(reading)
                    reading.add_done_callback(running.discard)
                self._publish(step, time.time())
                self._system.producer.poll(0)
            self._service.counting = False
            await asyncio.wait(running or {asyncio.create_task(asyncio.sleep(0))}, timeout=AFTER_S)

    async def _probe(self, http: httpx.AsyncClient, past: Sequence[Step]) -> None:
        """What this client and this machine add to a hit and to a miss: the speed does not divide it."""
        campaigns = [step for step in past if step.action == CAMPAIGN][:PROBES]
        misses = [await self._timed(http, _paths(step, [PROBED])) for step in campaigns]
        pages = [step for step in past if _tasks_of(step)][-PROBES:]
        hits = []
        for step in pages:
            await self._timed(http, _paths(step, _tasks_of(step)))
            hits.append(await self._timed(http, _paths(step, _tasks_of(step))))
        self.read_s = percentile(hits, 0.5)
        own_s = self._service.seconds(PROBED)
        self.job_s = max(0.0, percentile(misses, 0.5) - self.read_s - own_s)

    async def _timed(self, http: httpx.AsyncClient, paths: Sequence[str]) -> float:
        began = time.perf_counter()
        for answer in await asyncio.gather(*(http.get(path, headers=WAIT) for path in paths)):
            answer.raise_for_status()
        return time.perf_counter() - began

    async def _forget_answers(self) -> None:
        """The past's jobs ran because they came all at once; by now their answers would have expired."""
        settings = self._system.settings
        events = GroupLag(settings, settings.group_streams, settings.topics.events)
        jobs = GroupLag(settings, settings.group_worker, self._system.job_topics())

        async def is_drained() -> bool:
            return not sum((await events.read()).values()) + sum((await jobs.read()).values())

        await eventually(is_drained, DRAINED_WITHIN_S)
        self._forget()

    def _forget(self) -> None:
        self._system.http.delete("/cache", params={"pattern": "*", "confirm": "true"}).raise_for_status()

    def _publish(self, step: Step, at: float) -> None:
        moment = datetime.fromtimestamp(at, UTC)
        for kind, data in events_of(step):
            raw = msgspec.json.encode({"user_id": step.user, **data})
            event_id = f"e{next(self._numbers)}"
            value, headers = encode_binary(kind, raw, source="replay", event_id=event_id, time=moment)
            self._system.send(topic_of(kind, self._system.topics), value, step.user, headers)

    async def _read(
        self, http: httpx.AsyncClient, step: Step, tasks: Sequence[str], *, is_measured: bool
    ) -> None:
        began = time.perf_counter()
        asked = [http.get(path, headers=WAIT) for path in _paths(step, tasks)]
        answers = await asyncio.gather(*asked)
        if is_measured:
            self.waits.append(time.perf_counter() - began)
            self.hits += all("preference-applied" not in answer.headers for answer in answers)


def _tasks_of(step: Step) -> tuple[str, ...]:
    spec = BUILTIN_ACTIONS.get(step.action)
    return spec.tasks if spec is not None else ()


def _paths(step: Step, tasks: Sequence[str]) -> list[str]:
    return [f"/cache/{task}:{step.entity}:{step.entity_id}" for task in tasks]


def compare(
    stage: Stage, seed: int, *, users: int, hours: float, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """A row for the system, one for its simulation, one for whether they differ by less than the band."""
    behaviour = msgspec.structs.replace(stage.behaviour, users=users, past=PAST)
    steps, _ = draw_steps(stage.population, behaviour, seed)
    warm = min(WARM_HOURS, hours)
    begin = _busy_hour(steps, hours) - warm
    past = [_faster(step, begin) for step in steps if step.at_s < begin * 3600]
    # Only what is still in force: answers of the day before are gone in the accelerated run, too.
    played = [_faster(step, begin) for step in steps if begin <= step.at_s / 3600 < begin + warm + hours]
    measured_from = warm * 3600 / SPEED
    live, replay = _live(stage, past, played, measured_from, seed)
    say("the live part is done")
    setup = msgspec.structs.replace(stage.setup, read_s=replay.read_s, job_s=replay.job_s)
    simulated = _simulated(stage, setup, past, played, measured_from, seed=seed)
    overheads = f"a hit {replay.read_s * 1000:.1f} ms, a miss {replay.job_s * 1000:.1f} ms more"
    simulated["what"] += f", with the overheads measured there: {overheads}"
    return [live, simulated, _difference(live, simulated)]


def _busy_hour(steps: Sequence[Step], hours: float) -> int:
    """The hour at which the busiest so many begin."""
    counts = Counter(int(step.at_s // 3600) for step in steps if 0 <= step.at_s < DAY_S)
    span = math.ceil(hours)
    return max(range(1, 24 - span), key=lambda start: sum(counts[start + n] for n in range(span)))


def _faster(step: Step, begin_hour: float) -> Step:
    return step._replace(at_s=(step.at_s - begin_hour * 3600) / SPEED)


def _settings() -> dict[str, float]:
    """The settings that are times, at the replay's speed; names as in `Settings`."""
    return {
        "session_gap_s": 1800 / SPEED,
        "stale_s": 3600 / SPEED,
        "predicted_job_ttl_s": 600 / SPEED,
        "refresh_every_s": 30 / SPEED,
        "refresh_ahead_s": 300 / SPEED,
        "demand_quiet_s": 10 / SPEED,
        "act_above": 0.2,
    }


def _live(
    stage: Stage, past: Sequence[Step], steps: Sequence[Step], measured_from: float, seed: int
) -> tuple[dict[str, Any], LiveReplay]:
    service = WaitingService(Durations(seed, scale=1 / SPEED))
    with tempfile.TemporaryDirectory() as name, LocalKafka() as kafka, LocalValkey() as valkey:
        folder = Path(name)
        (folder / "handlers.json").write_text(json.dumps(service.declaration()))
        models = Registry(folder / "models")
        meta = models.add(stage.files)
        models.promote(meta.version, reason="the replay", forced=True)
        settings = {name: str(value) for name, value in _settings().items()}
        settings["session_gap"] = settings.pop("session_gap_s")
        system = SystemUnderTest(
            folder,
            kafka.bootstrap_servers,
            valkey.url,
            workers=str(SLOTS),
            http_handlers=str(folder / "handlers.json"),
            model_store=str(folder / "models"),
            **settings,
        )
        with system:
            system.start("streams", "worker", "api")
            replay = LiveReplay(system, service)
            asyncio.run(replay.run(past, steps, measured_from))
    service.stop()
    found = _row("the system, 60 times as fast", replay.waits, replay.hits, sum(service.calls.values()))
    return found, replay


def _simulated(
    stage: Stage,
    setup: Setup,
    past: Sequence[Step],
    steps: Sequence[Step],
    measured_from: float,
    *,
    seed: int,
) -> dict[str, Any]:
    """The simulation of the accelerated run: same steps, same pace, the overheads of `setup`."""
    setup = msgspec.structs.replace(
        setup,
        settings=setup.settings.model_copy(update={**_settings(), "cpu_processes": SLOTS}),
        ttl=1 / SPEED,
        scale=1 / SPEED,
        window=(measured_from, float("inf")),
    )
    before = float(DAYS[0] * DAY_S)
    # The simulated clock begins a day earlier: what lies in the past stays there.
    moved = [step._replace(at_s=before + step.at_s - 1.0) for step in past]
    replay = Replay(World.PREDICTOR, setup, load_blend(stage.files)[0], seed)
    account = replay.run([*moved, *steps])
    hits = sum(one.is_hit for one in account.requests)
    jobs = sum(kept.began >= measured_from for kept in replay.answers.written)
    return _row("its simulation", account.waits(), hits, jobs)


def _row(what: str, waits: Sequence[float], hits: int, jobs: int) -> dict[str, Any]:
    """Waits in the day's own seconds: sixty times those on the clock."""
    return {
        "what": what,
        "requests": len(waits),
        "hit %": round(hits / len(waits) * 100, 1),
        "p50 s": round(percentile(waits, 0.5) * SPEED, 2),
        "p95 s": round(percentile(waits, 0.95) * SPEED, 2),
        "mean s": round(sum(waits) / len(waits) * SPEED, 2),
        "computations": jobs,
    }


def _difference(live: dict[str, Any], simulated: dict[str, Any]) -> dict[str, Any]:
    hit = abs(live["hit %"] - simulated["hit %"]) / 100
    wait = abs(live["p95 s"] / simulated["p95 s"] - 1)
    jobs = abs(live["computations"] / simulated["computations"] - 1)
    return {
        "what": f"within {HIT_BAND:.0%} of hits, {WAIT_BAND:.0%} of p95, {JOBS_BAND:.0%} of computations",
        "hit %": round(hit * 100, 1),
        "p95 s": f"{wait:.0%}",
        "computations": f"{jobs:.0%}",
        "confirmed": hit <= HIT_BAND and wait <= WAIT_BAND and jobs <= JOBS_BAND,
    }
