"""Who is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

PEERS = Path(__file__).parent / "peers"


class Queue(StrEnum):
    """Where the jobs wait."""

    REDIS = "Redis"
    KAFKA = "Kafka"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """`name` is that of its script, and of its requirements where it has an environment of its own."""

    name: str
    title: str
    package: str
    queue: Queue
    how: str
    keeps_results: bool
    #: What its script is told besides to work.
    arguments: tuple[str, ...] = ()

    @property
    def requirements(self) -> Path:
        return PEERS / f"{self.name}.txt"

    def version(self) -> str:
        """The pinned version of its package, or nothing where it runs in the project's environment."""
        if not self.requirements.exists():
            return ""
        lines = self.requirements.read_text().splitlines()
        pins = (line.split(" ")[0].partition("==") for line in lines)
        return next((version for name, _, version in pins if name == self.package), "")

    def storing(self) -> Peer:
        """The same with a handler that writes its result, for a peer that keeps none itself."""
        return replace(
            self,
            title=f"{self.title}, storing",
            how=f"{self.how}; the handler writes its result",
            keeps_results=True,
            arguments=("store",),
        )


CELERY = Peer(
    name="celery",
    title="Celery",
    package="celery",
    queue=Queue.REDIS,
    how="solo pool, acks late",
    keeps_results=True,
)
RAW = Peer(
    name="raw",
    title="raw loop",
    package="",
    queue=Queue.KAFKA,
    how="consume 500, one pipelined SET each",
    keeps_results=True,
)
FIFO = Peer(
    name="fifo",
    title="one topic, FIFO",
    package="",
    queue=Queue.KAFKA,
    how="eight threads",
    keeps_results=False,
)

FASTSTREAM = Peer(
    name="faststream",
    title="FastStream",
    package="faststream",
    queue=Queue.KAFKA,
    how="ack of each message",
    keeps_results=False,
)
QUIX = Peer(
    name="quix",
    title="Quix Streams",
    package="quixstreams",
    queue=Queue.KAFKA,
    how="checkpoint every 5 s",
    keeps_results=False,
)
FAUST = Peer(
    name="faust",
    title="Faust",
    package="faust-streaming",
    queue=Queue.KAFKA,
    how="agent, no table",
    keeps_results=False,
)
DRAMATIQ = Peer(
    name="dramatiq",
    title="Dramatiq",
    package="dramatiq",
    queue=Queue.REDIS,
    how="8 threads",
    keeps_results=True,
)
TASKIQ = Peer(
    name="taskiq",
    title="taskiq",
    package="taskiq",
    queue=Queue.REDIS,
    how="Redis stream, ack when saved",
    keeps_results=True,
)
ARQ = Peer(
    name="arq",
    title="arq",
    package="arq",
    queue=Queue.REDIS,
    how="64 at once, polls every 10 ms",
    keeps_results=True,
)

#: In the order of a round.
THROUGHPUT = (
    RAW,
    CELERY,
    DRAMATIQ,
    TASKIQ,
    ARQ,
    FASTSTREAM,
    FASTSTREAM.storing(),
    QUIX,
    QUIX.storing(),
    FAUST,
    FAUST.storing(),
)
