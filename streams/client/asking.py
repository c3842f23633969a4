"""One question a key, however many readers of this process want to ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streams.client.gateway import ApiGateway, Asked, DemandError
from streams.client.metrics import ClientMetrics
from streams.contracts.clock import Clock
from streams.contracts.errors import UnavailableError

#: A key that was asked for is not asked for again within these, seconds: urgent, and for later.
QUIET_S = {True: 1.0, False: 10.0}
MOST_REMEMBERED = 10_000

_Place = tuple[str, bool]


class Asker:
    """Asks the API to have answers computed; failures are an `Asked` with a reason, never an exception."""

    def __init__(self, gateway: ApiGateway | None, metrics: ClientMetrics, clock: Clock) -> None:
        self._gateway = gateway
        self._metrics = metrics
        self._clock = clock
        self._recent: dict[_Place, tuple[asyncio.Future[Asked], float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def can_ask(self) -> bool:
        return self._gateway is not None

    async def ask(self, keys: Sequence[str], *, refresh: bool, urgent: bool) -> list[Asked]:
        """What became of each key, in their order."""
        if self._gateway is None:
            return [Asked(key, None, "no_api_url") for key in keys]
        futures = self._ask_new(keys, refresh=refresh, urgent=urgent)
        return list(await asyncio.gather(*map(asyncio.shield, futures)))

    def ask_in_background(self, keys: Sequence[str], *, refresh: bool = True, urgent: bool = False) -> None:
        if self._gateway is not None:
            self._ask_new(keys, refresh=refresh, urgent=urgent)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._gateway is not None:
            self._gateway.close()

    def _ask_new(self, keys: Sequence[str], *, refresh: bool, urgent: bool) -> list[asyncio.Future[Asked]]:
        now = self._clock.monotonic()
        loop = asyncio.get_running_loop()
        new: list[str] = []
        futures = []
        for key in keys:
            known = self._recent.get((key, urgent))
            if known is None or known[1] <= now:
                known = (loop.create_future(), now + QUIET_S[urgent])
                self._remember((key, urgent), known)
                new.append(key)
            futures.append(known[0])
        if new:
            task = loop.create_task(self._send(new, refresh=refresh, urgent=urgent), name="demand")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return futures

    def _remember(self, place: _Place, known: tuple[asyncio.Future[Asked], float]) -> None:
        self._recent.pop(place, None)
        if len(self._recent) >= MOST_REMEMBERED:
            self._recent.pop(next(iter(self._recent)))
        self._recent[place] = known

    async def _send(self, keys: Sequence[str], *, refresh: bool, urgent: bool) -> None:
        assert self._gateway is not None
        answers = {}
        reason = "api_away"
        try:
            found = await self._gateway.ask(keys, refresh=refresh, urgent=urgent)
            answers = {one.key: one for one in found}
            reason = "not_asked"
            self._metrics.demands += len(keys)
        except UnavailableError:
            self._metrics.demands_failed += len(keys)
        except DemandError:
            reason = "refused"
            self._metrics.demands_failed += len(keys)
        finally:
            for key in keys:
                answer = answers.get(key, Asked(key, None, reason))
                self._settle((key, urgent), answer)

    def _settle(self, place: _Place, answer: Asked) -> None:
        known = self._recent.get(place)
        if known is None:
            return
        if answer.job_id is None:
            # A failure is not kept: the next reader may have more luck.
            del self._recent[place]
        if not known[0].done():
            known[0].set_result(answer)
