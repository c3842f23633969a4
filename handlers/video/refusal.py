"""The words for media that give no result: bounded reasons, one sentence each."""

from __future__ import annotations

from streams.contracts.outcomes import Reject

MISSING = "media_missing"
OUTSIDE = "media_not_allowed"
UNREADABLE = "media_unreadable"
NO_VIDEO = "media_no_video"
TOO_LARGE = "media_too_large"
TOO_LONG = "media_too_long"
TOO_SLOW = "media_too_slow"


def refuse(reason: str, message: str) -> Reject:
    return Reject(f"uri: {message}", reason=reason)
