"""Handlers of the tests: what a user's module looks like."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec

from handlers import Context, Reject, Retry, Skip, handler


class Number(msgspec.Struct, frozen=True):
    value: Annotated[int, msgspec.Meta(ge=0)]
    mode: str = "double"


class Answer(msgspec.Struct, frozen=True):
    value: int
    pid: int = 0


@handler(
    task="doubling",
    kind="cpu",
    version="1",
    entity="video",
    ttl_s=60,
    on=("video.uploaded",),
    priority=8,
    answers=("open_heatmap",),
    extra="numbers",
)
def doubling(number: Number, context: Context) -> Answer:
    """Doubles a number."""
    match number.mode:
        case "reject":
            raise Reject("no such number", reason="odd")
        case "retry":
            raise Retry("busy", after_s=3.0)
        case "skip":
            raise Skip("nothing to double")
        case "import":
            raise ModuleNotFoundError("No module named 'abacus'", name="abacus")
        case "memory":
            raise MemoryError
        case "bug":
            return Answer(1 // 0)
        case _:
            return Answer(2 * number.value, os.getpid())


@handler(task="batching", kind="cpu", version="1", entity="video", ttl_s=60, batch_size=8)
def batching(numbers: list[Number], contexts: list[Context]) -> list[Answer]:
    return [Answer(number.value + len(numbers)) for number in numbers]


@handler(task="counting", kind="cpu", version="1", entity="user", ttl_s=60)
class Counting:
    """Counts its own calls: one instance lives as long as its process."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, number: Number, context: Context) -> Answer:
        self._calls += number.value if context.user_id else 0
        return Answer(self._calls)


@handler(task="waiting", kind="io", version="1", entity="user", ttl_s=60)
async def waiting(number: Number, context: Context) -> Answer:
    if number.mode == "timeout":
        raise TimeoutError
    return Answer(number.value)
