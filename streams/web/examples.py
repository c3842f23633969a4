"""Examples and parts of the OpenAPI description."""

from __future__ import annotations

from typing import Any


def example(description: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": body}}}


_AT = "2026-11-25T10:00:00.123000+00:00"
_JOB_ID = "5f0d3c1b9a7e8d6f4c2b1a09"

ANSWER = example(
    "A fresh or stale answer",
    {
        "success": True,
        "cached": True,
        "key": "ctr_prediction:video:v42",
        "task": "ctr_prediction",
        "state": "fresh",
        "result": {"ctr": 0.031},
        "computed_at": _AT,
        "expires_at": "2026-11-25T16:00:00.123000+00:00",
        "age_s": 12.5,
        "job_id": _JOB_ID,
        "why": "predicted",
        "handler_version": "1",
        "etag": "9f2c7a31d0b64e58aa10c3d2",
        "compute_ms": 41.0,
    },
)
DEMANDED = example(
    "Asked for; Location says where to look",
    {
        "success": True,
        "cached": False,
        "key": "ctr_prediction:video:v42",
        "job_id": _JOB_ID,
        "status": "queued",
    },
)
INVALIDATED = {"success": True, "invalidated": 17, "pattern": "ctr_prediction:*"}
REFRESHED = {"success": True, "task_type": "ctr_prediction", "tasks_queued": 17}
QUEUED = {"success": True, "video_id": "v42", "task_ids": [_JOB_ID], "tasks_queued": 6}
BATCH = {
    "success": True,
    "batch": {
        "id": "3f2a1b0c9d8e7f60",
        "by": "loopback",
        "rows": 2,
        "tasks": {"ctr_prediction": 2},
        "off_peak": False,
        "created_at": 1_795_600_800_123,
        "state": "open",
        "emitted": 0,
        "unknown": 0,
    },
    "estimate": {
        "rows": 2,
        "by_task": {"ctr_prediction": 2},
        "compute_s": 0.082,
        "wall_s": 0.027,
        "slots": 3,
        "never_computed_yet": [],
    },
}
JOB = {
    "success": True,
    "job": {
        "id": _JOB_ID,
        "task": "ctr_prediction",
        "key": "ctr_prediction:video:v42",
        "user_id": "u7",
        "priority": 8,
        "why": "upload",
        "group": "treatment",
        "created_at": _AT,
        "probability": None,
        "status": "completed",
        "reason": None,
        "at": _AT,
        "timeline": [
            {"status": "queued", "at": _AT, "attempt": 0, "reason": "", "error": "", "worker": ""},
            {"status": "completed", "at": _AT, "attempt": 1, "reason": "", "error": "", "worker": "w1"},
        ],
    },
}

#: `GET /cache/{key}` reads its request by hand, in a tenth of the time; here is what it reads.
READ_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "key",
        "in": "path",
        "required": True,
        "description": "task:entity:id",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:[A-Za-z0-9._-]+$"},
        "example": "ctr_prediction:video:v42",
    },
    {
        "name": "on_miss",
        "in": "query",
        "description": "ask for a missing answer",
        "schema": {"type": "string", "enum": ["compute"]},
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "wait=SECONDS holds the request for a missing answer (RFC 7240)",
        "schema": {"type": "string", "maxLength": 256},
        "example": "wait=5",
    },
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "the tag of the answer that the caller has",
        "schema": {"type": "string", "maxLength": 1024},
    },
]
