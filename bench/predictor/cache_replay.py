"""What predictions are worth to a cache: hits and waste above a cache that only remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: How long an answer stays good in the replay.
TTL_MS = 600_000
_END = 0


class Asked(NamedTuple):
    """A test question: the likely outcomes (END left out), and the column of what came."""

    user: str
    at_ms: int
    likely: dict[int, float]
    came: int


class CacheFigures(NamedTuple):
    """Shares of requests that hit, precomputations per request, share of these never read."""

    threshold: float | None
    hit: float
    per_request: float
    unread: float


def replay_single_use(asked: Sequence[Asked], threshold: float) -> CacheFigures:
    """Each precomputed answer serves one request: what speculation alone is worth."""
    ready: dict[tuple[str, int], int] = {}
    hits = requests = computed = 0
    for question in asked:
        for action, p in question.likely.items():
            key = (question.user, action)
            if p > threshold and ready.get(key, -1) < question.at_ms:
                ready[key] = question.at_ms + TTL_MS
                computed += 1
        # The request itself comes at the next question's time; its answer was asked for here.
        if question.came != _END:
            requests += 1
            hits += ready.pop((question.user, question.came), -1) >= question.at_ms
    return CacheFigures(
        threshold, hits / requests, computed / requests, 1 - hits / computed if computed else 0.0
    )


def replay_shared(asked: Sequence[Asked], threshold: float | None) -> CacheFigures:
    """Answers stay for their TTL and are read any number of times; what was asked for stays as well.

    Without a threshold nothing is precomputed: the demand-only cache.
    """
    fresh_until: dict[tuple[str, int], int] = {}
    unread: set[tuple[str, int]] = set()
    hits = requests = computed = wasted = 0
    for question in asked:
        for action, p in question.likely.items() if threshold is not None else ():
            key = (question.user, action)
            if p > threshold and fresh_until.get(key, -1) < question.at_ms:
                wasted += key in unread
                fresh_until[key] = question.at_ms + TTL_MS
                unread.add(key)
                computed += 1
        if question.came != _END:
            key = (question.user, question.came)
            requests += 1
            if fresh_until.get(key, -1) >= question.at_ms:
                hits += 1
                unread.discard(key)
            else:
                fresh_until[key] = question.at_ms + TTL_MS
                wasted += key in unread
                unread.discard(key)
    wasted += len(unread)
    return CacheFigures(
        threshold, hits / requests, computed / requests, wasted / computed if computed else 0.0
    )
