"""What a look at one thing found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec

from streams.contracts.errors import PrecomputeError


class Level(StrEnum):
    OK = "ok"
    #: It works, but not as it should for long.
    WARN = "warn"
    #: It does not work, or breaks a promise.
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`part` is what was looked at, `check` what of it; `remedy` is empty where all is well."""

    part: str
    check: str
    level: Level
    seen: str
    remedy: str = ""


class Notes:
    """Findings of one part, in the order they were made."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.findings: list[Finding] = []

    def ok(self, check: str, seen: str) -> None:
        self._add(check, Level.OK, seen, "")

    def warn(self, check: str, seen: str, remedy: str) -> None:
        self._add(check, Level.WARN, seen, remedy)

    def fail(self, check: str, seen: str, remedy: str) -> None:
        self._add(check, Level.FAIL, seen, remedy)

    def _add(self, check: str, level: Level, seen: str, remedy: str) -> None:
        one_line = " ".join(seen.split())
        self.findings.append(Finding(part=self.part, check=check, level=level, seen=one_line, remedy=remedy))


Examination = Callable[[Notes], Awaitable[None]]


async def examine(part: str, look: Examination) -> list[Finding]:
    """The findings of one part; a look that breaks is a finding too, and keeps the others."""
    notes = Notes(part)
    try:
        await look(notes)
    except PrecomputeError as exc:
        seen, _, remedy = str(exc).rpartition("; ")
        notes.fail("answers", seen or remedy, remedy if seen else "see what stands left")
    except Exception as exc:  # noqa: BLE001 (somebody else's library; the other parts are still looked at)
        notes.fail(
            "looked at", f"the check itself failed: {exc!r}", "report this line as a fault of precompute"
        )
    return notes.findings
