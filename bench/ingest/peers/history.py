"""What each peer does with an event: its user's last fifty actions, and a job that carries the last three."""

from __future__ import annotations

from typing import Any

KEPT = 50


def longer(history: list[str], event: dict[str, Any]) -> list[str]:
    return [*history[1 - KEPT :], event["data"]["action"]]


def job(event: dict[str, Any], history: list[str]) -> dict[str, Any]:
    user = event["data"]["user_id"]
    return {
        "id": f"ingest_job/{event['id']}",
        "task": "ingest_job",
        "key": f"ingest_job:user:{user}",
        "user_id": user,
        "priority": 5,
        "last": history[-3:],
    }
