"""Renews the leases of running jobs: a lease that is not renewed belongs to a worker that died."""

from __future__ import annotations

import asyncio

import structlog

from streams.cache.answers import AnswerStore, Claim
from streams.cache.connection import AWAY
from streams.ops.metrics import REDIS_ERRORS
from streams.ops.service import BackgroundService

_log = structlog.get_logger(__name__)


class LeaseKeeper(BackgroundService):
    """Holds the claims of this worker's running jobs and renews them three times a lease."""

    def __init__(self, store: AnswerStore, lease_s: float) -> None:
        super().__init__()
        self._store = store
        self._every_s = lease_s / 3
        self._held: dict[str, Claim] = {}

    def hold(self, claim: Claim) -> None:
        self._held[claim.token] = claim

    def drop(self, claim: Claim) -> None:
        self._held.pop(claim.token, None)

    async def on_start(self) -> None:
        self.spawn(self._renew_forever(), "lease-keeper")

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            claims = list(self._held.values())
            if not claims:
                continue
            try:
                held = await self._store.renew(claims)
            except AWAY:
                REDIS_ERRORS.labels("renew").inc()
                continue
            for claim, still_ours in zip(claims, held, strict=True):
                if not still_ours and claim.token in self._held:
                    # The write is fenced by the token, so running on does no harm.
                    _log.warning("a lease was lost while its job ran", job=claim.job.id, key=claim.job.key)
