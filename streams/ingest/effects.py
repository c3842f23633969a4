"""What a slice of events causes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from streams.cache.inputs import UserPredictions
from streams.contracts.jobs import Job
from streams.contracts.states import Reason
from streams.ingest.speculation import Speculation
from streams.ingest.state import InputRow
from streams.ops.tracing import TraceContext


class Outgoing(msgspec.Struct, frozen=True):
    """A job and the trace it belongs to: headers that go from the event to the job."""

    job: Job
    context: TraceContext = ()


class Withheld(msgspec.Struct, frozen=True):
    """A job that an event asks for and that is not worth computing before somebody does."""

    job: Job
    reason: Reason


class Letter(msgspec.Struct, frozen=True):
    """A record that goes to the dead letters as it came, with the reason."""

    record: Any
    reason: str
    message: str


class Effects(msgspec.Struct):
    """Everything a slice causes."""

    jobs: list[Outgoing] = []
    withheld: list[Withheld] = []
    letters: list[Letter] = []
    rerouted: list[Any] = []
    #: Users whose rows were written, each with its encoded actions.
    users: dict[str, bytes] = {}
    inputs: dict[str, InputRow | None] = {}
    speculations: list[Speculation] = []
    predictions: list[UserPredictions] = []
    #: Cache keys, each with the time (ms) before which its answers are invalid.
    invalidated: dict[str, int] = {}
    counts: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)

    def adopt(self, speculations: Sequence[Speculation]) -> None:
        """Takes over what is left of the speculations once fresh answers are known."""
        for found in speculations:
            self.predictions.append(found.shown)
            self.jobs += [Outgoing(job) for job in found.jobs]
        self.speculations = []
