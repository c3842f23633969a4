"""The names that an application imports: `from precompute import Client, handler, Precomputer`."""

from __future__ import annotations

import os
from typing import Any, Self

import httpx
import msgspec
import redis

from handlers import handler
from predictor.facade import ActionPredictor
from streams.cache.codec import encode_stored
from streams.cache.names import RedisNames
from streams.client import Precompute as Client
from streams.client import PrecomputeSync
from streams.contracts.clock import SYSTEM_CLOCK, millis
from streams.contracts.errors import ContractError, PrecomputeError, UnavailableError
from streams.contracts.ids import derive_job_id
from streams.contracts.jobs import Why
from streams.contracts.keys import CacheKey
from streams.contracts.results import StoredResult
from streams.contracts.tasks import BUILTIN_TASKS, CACHE_TTL, PrecomputeTaskType
from streams.local.roles import RoleProcess
from streams.settings import load_settings

__all__ = ["CACHE_TTL", "ActionPredictor", "Client", "PrecomputeTaskType", "Precomputer", "handler"]

_BASE = "/api/precompute"
_CLOSED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
_TIMEOUT_S = 30.0


class Precomputer:
    """The whole system behind plain, blocking methods: events and actions over HTTP, answers from Redis.

    Addresses come from `REDIS_URL`, `PRECOMPUTE_API_URL` and `PRECOMPUTE_API_KEY` where they are not given.
    Raises `UnavailableError` where a server does not answer, `ContractError` where a request is refused.
    """

    def __init__(self, *, api_url: str | None = None, redis_url: str | None = None) -> None:
        settings = load_settings(**({"redis_url": redis_url} if redis_url is not None else {}))
        address = settings.redis_url.get_secret_value()
        key = os.environ.get("PRECOMPUTE_API_KEY")
        url = api_url or os.environ.get("PRECOMPUTE_API_URL") or f"http://{settings.host}:{settings.port}"
        self._settings = settings
        self._names = RedisNames(settings.namespace)
        self._redis = redis.Redis.from_url(address)
        self._answers = PrecomputeSync(
            redis_url=address, namespace=settings.namespace, api_url=url, api_key=key
        )
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url + _BASE, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        self._workers: list[RoleProcess] = []

    def on_video_upload(self, video_id: str, user_id: str, video_data: dict[str, Any]) -> list[str]:
        """The ids of the jobs that the upload asks for."""
        body = {"video_id": video_id, "user_id": user_id, "video_data": video_data}
        return self._task_ids("/video", body)

    def on_campaign_create(self, campaign_id: str, user_id: str, campaign_data: dict[str, Any]) -> list[str]:
        """The ids of the jobs that the campaign asks for."""
        body = {"campaign_id": campaign_id, "user_id": user_id, "campaign_data": campaign_data}
        return self._task_ids("/campaign", body)

    def on_user_login(self, user_id: str, user_data: dict[str, Any] | None = None) -> list[str]:
        """The ids of the jobs that the log-in asks for at once; predicted ones follow by themselves."""
        return self._task_ids("/login", {"user_id": user_id, "user_data": user_data or {}})

    def predict_next_actions(self, user_id: str) -> list[dict[str, Any]]:
        """The likeliest actions first, each with its probability and what was decided about it."""
        found: list[dict[str, Any]] = self._call("POST", "/predict-actions", {"user_id": user_id})[
            "predictions"
        ]
        return found

    def get_cached_result(self, cache_key: str) -> Any | None:
        """The fresh or stale result of a key, None where there is none."""
        result = self._answers.get(cache_key)
        return result.value if result.is_usable else None

    def set_cached_result(self, cache_key: str, result: Any, ttl_s: float | None = None) -> None:
        """Stores a result of one's own; any job for the key with a known input replaces it."""
        key = CacheKey.parse(cache_key, BUILTIN_TASKS)
        now = millis(SYSTEM_CLOCK.now())
        lives_ms = millis(ttl_s if ttl_s is not None else BUILTIN_TASKS[key.task].ttl_s)
        stored = StoredResult(
            key=cache_key,
            task=key.task,
            job_id=derive_job_id(key.task, cache_key, f"set/{now}"),
            why=Why.DEMAND,
            handler_version="external",
            input_version=0,
            started_at=now,
            computed_at=now,
            expires_at=now + lives_ms,
            compute_ms=0.0,
            result=msgspec.Raw(msgspec.json.encode(result)),
        )
        physical_ms = lives_ms + millis(self._settings.stale_s)
        try:
            self._redis.set(self._names.result(cache_key), encode_stored(stored), px=physical_ms)
            self._redis.zadd(self._names.index(key.task), {cache_key: now + physical_ms})
        except redis.RedisError as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc

    def invalidate_cache(self, pattern: str) -> int:
        """How many answers went: `ctr_prediction:*`, `*:video:v42` or an exact key."""
        return int(self._call("DELETE", "/cache", {"pattern": pattern})["invalidated"])

    def refresh_cache_proactively(self, task_type: str, filters: dict[str, Any] | None = None) -> int:
        """How many jobs were queued to compute the task's answers again."""
        return int(self._call("POST", f"/refresh/{task_type}", {"filters": filters or {}})["tasks_queued"])

    def get_queued_task_count(self) -> int:
        return int(self.get_queue_stats()["total"])

    def get_queue_stats(self) -> dict[str, int]:
        """Waiting jobs by task, and their `total`."""
        found: dict[str, int] = self._call("GET", "/queue")["queue_stats"]
        return found

    def start_workers(self, processes: int = 1) -> None:
        """Worker processes of this machine, as children of this one; returns when they are ready."""
        environment = {
            "REDIS_URL": self._settings.redis_url.get_secret_value(),
            "KAFKA_BOOTSTRAP_SERVERS": self._settings.kafka_bootstrap_servers,
        }
        for _ in range(processes):
            number = len(self._workers) + 1
            log = self._settings.data_dir / f"worker-{os.getpid()}-{number}.log"
            worker = RoleProcess("worker", environment, log, name=f"worker-{number}")
            self._workers.append(worker)
            worker.start()
        for worker in self._workers:
            worker.wait_ready()

    def stop_workers(self) -> None:
        """Ends the workers that `start_workers` started; they finish what they have in hand."""
        while self._workers:
            self._workers.pop().stop()

    def get_metrics(self) -> dict[str, Any]:
        """The fleet's counters."""
        found: dict[str, Any] = self._call("GET", "/metrics")["metrics"]
        return found

    def close(self) -> None:
        self.stop_workers()
        self._answers.close()
        self._redis.close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _task_ids(self, path: str, body: dict[str, Any]) -> list[str]:
        found: list[str] = self._call("POST", path, body)["task_ids"]
        return found

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body)
        except _CLOSED:
            # A kept connection may be closed just as a request is sent over it; reading twice is harmless.
            if method != "GET":
                raise
            return self._http.request(method, path, json=body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self._request(method, path, body)
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as exc:
            raise UnavailableError(f"no API answers at {self._http.base_url}: {exc}") from exc
        if response.status_code == 503:
            raise UnavailableError(str(answer.get("detail")))
        if response.status_code in (400, 404, 422):
            raise ContractError(str(answer.get("detail")), field=str(answer.get("field", "")))
        if response.status_code >= 400:
            raise PrecomputeError(str(answer.get("detail", f"the API answered {response.status_code}")))
        return answer
