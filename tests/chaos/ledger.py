"""What was published, what was computed, what can be read; and whether the promises held."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from streams.contracts.ids import derive_job_id

TASK = "chaos_probe"
POISON = "chaos_poison"


class Verdict(msgspec.Struct, kw_only=True):
    """The outcome of a run. `wiped`: answers lost with Redis's data, which came back when they were read.

    `poison`: jobs that take their process down; each must end as a dead letter, and `buried` are those.
    """

    seed: int
    published: int
    completed: int = 0
    lost: int = 0
    duplicate_computations: int = 0
    stale_overwrites: int = 0
    wiped: int = 0
    never_came_back: int = 0
    poison: int = 0
    buried: int = 0
    #: Of what went wrong.
    examples: list[str] = []
    faults: dict[str, int] = {}
    recovery_s: dict[str, float] = {}
    elapsed_s: float = 0.0

    @property
    def held(self) -> bool:
        """Nothing lost, nothing older over newer, all poison buried, under one in a hundred done twice."""
        bad = self.lost + self.stale_overwrites + self.never_came_back + abs(self.poison - self.buried)
        return bad == 0 and self.duplicate_computations < 0.01 * self.published


class Ledger:
    """The publisher's side: which event numbers each user has, in order."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[int]] = {}
        self.jobs: dict[str, str] = {}

    def publish(self, user_id: str, n: int, cause: str) -> None:
        self.numbers.setdefault(user_id, []).append(n)
        self.jobs[derive_job_id(TASK, self.key(user_id), cause)] = user_id

    @staticmethod
    def key(user_id: str) -> str:
        return f"{TASK}:user:{user_id}"

    @property
    def published(self) -> int:
        return len(self.jobs)


def computations(traces: Path) -> Counter[str]:
    """How often each job was computed, over all processes."""
    counts: Counter[str] = Counter()
    for path in traces.glob("*.log"):
        for line in path.read_text().splitlines():
            counts[line.split(" ", 1)[0]] += 1
    return counts
