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
ASKED = {
    "success": True,
    "jobs": [
        {"key": "ctr_prediction:video:v42", "job_id": _JOB_ID, "reason": None, "joined": False},
        {"key": "ctr_prediction:video:v43", "job_id": None, "reason": "unknown_entity", "joined": False},
    ],
}

_PREDICTED = {
    "action": "view_dashboard",
    "probability": 0.61,
    "confidence": 0.58,
    "acted_on": True,
    "why_not": None,
    "keys": ["dashboard_data:user:u7"],
}
UPLOADED = {
    "success": True,
    "video_id": "v42",
    "task_ids": [
        _JOB_ID,
        "0a44f1d7c3be92f05b6a8d11",
        "1b7d22c9e05fa6e48c3920d7",
        "2c90e3ab417fd5b6e2a4c863",
        "3d15fa08b2c7e69d4f71b0e9",
        "4e6b8c21d9f03a57c4e8d2b6",
    ],
    "tasks_queued": 6,
}
CREATED = {
    "success": True,
    "campaign_id": "c3",
    "task_ids": [
        "6f21b7d0c94e83a5d7f6e012",
        "7a02c8e1da5f94b6e8a7f123",
        "8b13d9f2eb60a5c7f9b80234",
        "9c24ea03fc71b6d80ac91345",
    ],
    "tasks_queued": 4,
}
LOGGED_IN = {
    "success": True,
    "user_id": "u7",
    "predicted_actions": [_PREDICTED],
    "task_ids": ["ad35fb140d82c7e91bda2456"],
    "tasks_queued": 1,
}
PREDICTED = {
    "success": True,
    "user_id": "u7",
    "predictions": [_PREDICTED],
    "model_version": "synthetic-1",
    "predicted_at": 1_795_600_800_123,
}
CANCELLED = {"success": True, "job_id": _JOB_ID, "status": "cancelled"}
STOPPING = {"success": True, "job_id": _JOB_ID, "status": "processing"}
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
