"""Which version challenges the one that serves, and how it does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from predictor.model import Model
from predictor.serving import ServingModel
from streams.cache.shadows import ShadowFigure
from streams.contracts.errors import ConfigurationError, ContractError, UnavailableError
from streams.ingest.shadowing import Shadowing
from streams.ops.metrics import SHADOW_GAIN

_log = structlog.get_logger(__name__)

#: The bootstrap costs a tenth of a second of CPU: worth it after so many more outcomes.
COMPARED_EVERY = 500


class Challengers:
    """The newest version that was trained since the one that serves is scored beside it.

    Slow work runs in a thread; models change hands on the event loop, between two slices.
    """

    def __init__(self, store: str | Path | None, serving: ServingModel, shadowing: Shadowing) -> None:
        self._store = store
        self._serving = serving
        self._shadowing = shadowing
        self._champion = ""
        self._seen = ""
        self._compared = 0
        #: How the last challenger did against the model that serves; None before the first outcomes.
        self.figure: ShadowFigure | None = None

    async def look(self) -> None:
        """Finds a challenger, and brings the figure up to date."""
        if self._store is None:
            return
        if self._champion != self._serving.version:
            self._champion, self._seen, self._compared, self.figure = self._serving.version, "", 0, None
            self._shadowing.challenge(None)
        found = await asyncio.to_thread(self._find)
        if found is not None and self._champion == self._serving.version:
            self._seen, self._compared, self.figure = found.version, 0, None
            _hand_over_users(self._serving.model, found)
            self._shadowing.challenge(found)
            _log.info(
                "a challenger predicts beside the model", serves=self._champion, challenger=found.version
            )
        await self._compare()

    def _find(self) -> Model | None:
        """The newest version that is younger than the one that serves, loaded; each is tried once."""
        assert self._store is not None
        try:
            from predictor.registry import Registry  # noqa: PLC0415 - needs the extra `forest`

            registry = Registry(self._store)
            versions = registry.versions()
            created = {meta.version: meta.created_at for meta in versions}
            newest = versions[-1].version if versions else ""
            if newest in ("", self._seen, self._champion):
                return None
            # A version that was taken back is older than the one that serves, or was promoted by hand.
            if created[newest] <= created.get(self._champion, 0):
                return None
            self._seen = newest
            return registry.load(newest)[0]
        except (ContractError, ConfigurationError, UnavailableError, ImportError, OSError) as exc:
            _log.warning("no challenger: a version cannot be read", error=str(exc))
            return None

    async def _compare(self) -> None:
        outcomes = self._shadowing.outcomes
        if len(outcomes) - self._compared < COMPARED_EVERY:
            return
        self._compared = len(outcomes)
        champion = self._champion
        figure = await asyncio.to_thread(self._figure)
        if champion != self._serving.version:
            return
        self.figure = figure
        for bound in ("gain", "low", "high"):
            SHADOW_GAIN.labels(bound).set(getattr(figure, bound))
        if self._shadowing.is_settled and self._shadowing.challenger is not None:
            self._shadowing.rest()
            _log.info("the comparison is settled", challenger=figure.challenger, verdict=figure.verdict)

    def _figure(self) -> ShadowFigure:
        from predictor.shadow import Shadow  # noqa: PLC0415 - needs the extra `forest`

        shadow = Shadow()
        for champion, challenger, outcome in self._shadowing.outcomes.copy():
            shadow.add(champion, challenger, outcome)
        found = shadow.compare()
        return ShadowFigure(
            champion=self._champion,
            challenger=self._seen,
            verdict=found.verdict.value,
            events=found.events,
            gain=found.gain,
            low=found.low,
            high=found.high,
            champion_error=found.champion_ece,
            challenger_error=found.challenger_ece,
        )


def _hand_over_users(serving: Model, challenger: Model) -> None:
    """The challenger knows each user as the model that serves does: what differs is the training."""
    source, target = getattr(serving, "state", None), getattr(challenger, "state", None)
    if source is not None and target is not None:
        target.adopt_users(source)
