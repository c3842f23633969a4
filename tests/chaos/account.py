"""The account at the end of a run: what was published against what was computed and can be read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx

from streams.cache.connection import connect
from streams.cache.names import RedisNames
from streams.cache.reader import AnswerReader
from streams.contracts.jobs import decode_job
from streams.contracts.keys import CacheKey
from streams.contracts.results import Envelope
from streams.web.letters import MOST_A_PARTITION, LetterBox
from tests.chaos.ledger import TASK, Ledger, Verdict, computations
from tests.support.system import SystemUnderTest

PAGE = 500
#: Readers that wait at once for wiped answers.
READERS = 64


class Account:
    def __init__(self, system: SystemUnderTest, ledger: Ledger, traces: Path, poison: Sequence[str]) -> None:
        """`poison`: ids of the jobs that must have become dead letters."""
        self.system = system
        self.ledger = ledger
        self.poison = poison
        self._traces = traces

    async def settle(self, seed: int, *, wiped: bool) -> Verdict:
        """Every user's newest answer looked up, those that went with Redis's data asked for again."""
        verdict = Verdict(seed=seed, published=self.ledger.published)
        counts = computations(self._traces)
        verdict.duplicate_computations = sum(n - 1 for job, n in counts.items() if job in self.ledger.jobs)
        users = list(self.ledger.numbers)
        missing = []
        for start in range(0, len(users), PAGE):
            part = users[start : start + PAGE]
            for user, envelope in zip(part, await self._read(part), strict=True):
                newest = self.ledger.numbers[user][-1]
                if envelope is None:
                    missing.append(user)
                elif envelope.result["n"] == newest:
                    verdict.completed += len(self.ledger.numbers[user])
                else:
                    verdict.stale_overwrites += 1
                    verdict.examples.append(
                        f"{user}: {envelope.result['n']} of {self.ledger.numbers[user]}, "
                        f"job {envelope.job_id}, computed {envelope.computed_at}"
                    )
        if wiped:
            computed = {self.ledger.jobs[job] for job in counts if job in self.ledger.jobs}
            verdict.wiped = sum(user in computed for user in missing)
            verdict.lost = len(missing) - verdict.wiped
            verdict.never_came_back = await self._read_again(
                [user for user in missing if user in computed], verdict
            )
        else:
            verdict.lost = len(missing)
        verdict.poison = len(self.poison)
        verdict.buried = await self._buried()
        return verdict

    async def _buried(self) -> int:
        """How many of the poison jobs are dead letters that say so."""
        if not self.poison:
            return 0
        box = LetterBox(self.system.settings, self.system.topics.jobs_dlq)
        letters, _ = await box.newest(MOST_A_PARTITION)
        found = {decode_job(letter.value).id for letter in letters if letter.reason == "poison"}
        return len(found.intersection(self.poison))

    async def _read(self, users: list[str]) -> list[Envelope | None]:
        redis = connect(self.system.settings)
        try:
            reader = AnswerReader(redis, RedisNames(self.system.settings.namespace))
            return await reader.read_many([CacheKey(TASK, "user", user) for user in users])
        finally:
            await redis.aclose()

    async def _read_again(self, users: list[str], verdict: Verdict) -> int:
        """How many wiped answers do not come back when somebody reads them."""
        readers = asyncio.Semaphore(READERS)
        async with httpx.AsyncClient(
            base_url=str(self.system.http.base_url), timeout=40, trust_env=False
        ) as http:
            answers = await asyncio.gather(*(self._demand(http, readers, user) for user in users))
        for user, n in zip(users, answers, strict=True):
            if n is not None and n != self.ledger.numbers[user][-1]:
                verdict.stale_overwrites += 1
            elif n is not None:
                verdict.completed += len(self.ledger.numbers[user])
        return sum(n is None for n in answers)

    async def _demand(self, http: httpx.AsyncClient, readers: asyncio.Semaphore, user: str) -> int | None:
        """The number of the event that the answer was computed from, computing it if need be."""
        async with readers:
            key = self.ledger.key(user)
            response = await http.get(f"/cache/{key}", headers={"Prefer": "wait=20"})
        return int(response.json()["result"]["n"]) if response.status_code == 200 else None
