"""The demo's story: events published as an upstream service would, their jobs followed, answers read."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec

from handlers.registry import load_handlers
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.cloudevents import encode_binary
from streams.contracts.errors import UnavailableError
from streams.contracts.events import Event, EventType, decode_data, topic_of
from streams.contracts.jobs import Job
from streams.contracts.states import FINAL
from streams.contracts.triggers import trigger_table
from streams.kafka.producer import AckedProducer
from streams.local.sample import Sample
from streams.settings import Settings

SOURCE = "precompute/demo"
BASE = "/api/precompute"
LOOK_EVERY_S = 0.05
#: Enough for six video tasks on a slow machine.
JOBS_WITHIN_S = 180.0
PREDICTED_WITHIN_S = 20.0
READS = 5


class Followed(msgspec.Struct):
    """A job on its way, as the progress display shows it."""

    id: str
    key: str
    priority: int
    status: str = "published"
    reason: str = ""


class AnswerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: how long it took to compute, and to read."""

    key: str
    state: str
    computed_ms: float | None
    read_ms: float | None
    detail: str = ""


class PredictionRow(msgspec.Struct, frozen=True, kw_only=True):
    action: str
    probability: float
    acted_on: bool
    decision: str


class Click(msgspec.Struct, frozen=True, kw_only=True):
    """The predicted click, served."""

    action: str
    key: str
    why: str
    state: str
    read_ms: float


class Story(msgspec.Struct):
    """What happened."""

    events: int = 0
    followed: list[Followed] = []
    results: list[AnswerRow] = []
    predictions: list[PredictionRow] = []
    predicted_jobs: int = 0
    click: Click | None = None
    scenes: int = 0

    def count(self, status: str, reason: str | None = None) -> int:
        return sum(f.status == status and reason in (None, f.reason) for f in self.followed)

    @property
    def completed(self) -> int:
        """Jobs whose answer was computed: by themselves, or already as something another job needed."""
        return self.count("completed") + self.count("skipped", "duplicate")


class Scenario:
    """Plays the story against a running system."""

    def __init__(
        self, settings: Settings, api_url: str, sample: Sample, progress: Callable[[Story], None]
    ) -> None:
        registry = load_handlers(settings.handler_modules)
        self._triggers = trigger_table(registry.triggers, registry.catalogue)
        self._topics = settings.topics
        self._producer = AckedProducer(settings)
        self._http = httpx.AsyncClient(base_url=api_url + BASE, timeout=10.0, trust_env=False)
        self._sample = sample
        self._progress = progress
        self.story = Story()

    async def play(self) -> Story:
        sample = self._sample
        await self._producer.start()
        try:
            video = {"video_id": sample.video_id, **sample.video}
            campaign = {"campaign_id": sample.campaign_id, **sample.campaign}
            await self._publish(EventType.VIDEO_UPLOADED, video)
            await self._publish(EventType.CAMPAIGN_CREATED, campaign)
            await self._publish(EventType.USER_LOGGED_IN, {"account": sample.account})
            await self._follow()
            await self._read_answers()
            await self._predict()
        finally:
            await self._producer.stop()
            await self._http.aclose()
        return self.story

    async def _publish(self, event_type: str, data: Mapping[str, Any]) -> None:
        event = self._event(event_type, data)
        value, headers = encode_binary(event.type, event.raw_data, source=SOURCE, event_id=event.id)
        await self._producer.send(
            topic_of(event.type, self._topics), value, key=event.user_id, headers=list(headers)
        )
        self.story.events += 1
        for job in self._triggers.jobs(event, input_version=0, now_ms=event.time_ms):
            self.story.followed.append(_follow(job))
        self._progress(self.story)

    def _event(self, event_type: str, data: Mapping[str, Any]) -> Event:
        raw = msgspec.json.encode({"user_id": self._sample.user_id, **data})
        return Event(
            type=event_type,
            source=SOURCE,
            id=uuid.uuid4().hex,
            time_ms=millis(SYSTEM_CLOCK.now()),
            user_id=self._sample.user_id,
            data=decode_data(event_type, raw),
            raw_data=raw,
        )

    async def _follow(self) -> None:
        """Until every job has ended."""
        deadline = time.monotonic() + JOBS_WITHIN_S
        while waiting := [f for f in self.story.followed if f.status not in FINAL]:
            if time.monotonic() > deadline:
                keys = ", ".join(f"{f.key} ({f.status})" for f in waiting)
                raise UnavailableError(f"after {JOBS_WITHIN_S:.0f} s these have not ended: {keys}")
            for followed in waiting:
                await self._look(followed)
            self._progress(self.story)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, followed: Followed) -> None:
        response = await self._http.get(f"/jobs/{followed.id}")
        if response.status_code == 200:
            job = response.json()["job"]
            followed.status, followed.reason = job["status"], job["reason"] or ""

    async def _read_answers(self) -> None:
        for followed in self.story.followed:
            row, result = await self._read(followed.key)
            self.story.results.append(row)
            if followed.key.startswith("scene_detection:") and result:
                self.story.scenes = int(result["scene_count"])

    async def _read(self, key: str) -> tuple[AnswerRow, dict[str, Any] | None]:
        """The answer and the median time of a few reads over a kept connection."""
        times = []
        for _ in range(READS):
            started = time.perf_counter()
            response = await self._http.get(f"/cache/{key}")
            times.append((time.perf_counter() - started) * 1000)
        body = response.json()
        if response.status_code != 200:
            reason = str(body.get("reason", "missing"))
            row = AnswerRow(key=key, state="unavailable", computed_ms=None, read_ms=None, detail=reason)
            return row, None
        row = AnswerRow(
            key=key,
            state=body["state"],
            computed_ms=round(body["compute_ms"], 1),
            read_ms=round(statistics.median(times), 2),
        )
        return row, body["result"]

    async def _predict(self) -> None:
        """The user asks for variants; what is predicted next is computed before it is clicked."""
        scores = f"variant_scoring:campaign:{self._sample.campaign_id}"
        # Hours pass: otherwise the answer is still fresh and there is nothing to precompute.
        await self._http.delete("/cache", params={"pattern": scores})
        before = await self._predictions()
        campaign = {"entity": "campaign", "entity_id": self._sample.campaign_id}
        await self._publish(EventType.USER_ACTED, {"action": "generate_variants", **campaign})
        found = await self._next_predictions(before.get("predicted_at", 0))
        for one in found["predictions"]:
            self.story.predictions.append(
                PredictionRow(
                    action=one["action"],
                    probability=one["confidence"],
                    acted_on=one["acted_on"],
                    decision="computed ahead" if one["acted_on"] else one["why_not"].replace("_", " "),
                )
            )
        acted = [one for one in found["predictions"] if one["acted_on"] and one["keys"]]
        self.story.predicted_jobs = sum(len(one["keys"]) for one in acted)
        if acted:
            await self._click(acted[0]["action"], acted[0]["keys"][0])

    async def _click(self, action: str, key: str) -> None:
        deadline = time.monotonic() + PREDICTED_WITHIN_S
        while (await self._http.get(f"/cache/{key}")).status_code != 200:
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(LOOK_EVERY_S)
        campaign = {"entity": "campaign", "entity_id": self._sample.campaign_id}
        await self._publish(EventType.USER_ACTED, {"action": action, **campaign})
        started = time.perf_counter()
        body = (await self._http.get(f"/cache/{key}")).json()
        read_ms = (time.perf_counter() - started) * 1000
        self.story.click = Click(
            action=action, key=key, why=body["why"], state=body["state"], read_ms=round(read_ms, 2)
        )

    async def _predictions(self) -> dict[str, Any]:
        response = await self._http.post("/predict-actions", json={"user_id": self._sample.user_id})
        found: dict[str, Any] = response.json()
        return found

    async def _next_predictions(self, after: int) -> dict[str, Any]:
        deadline = time.monotonic() + PREDICTED_WITHIN_S
        while True:
            found = await self._predictions()
            if found.get("predicted_at", 0) > after:
                return found
            if time.monotonic() > deadline:
                raise UnavailableError("no new prediction came for the sample user")
            await asyncio.sleep(LOOK_EVERY_S)


def _follow(job: Job) -> Followed:
    return Followed(job.id, job.key, job.priority)
