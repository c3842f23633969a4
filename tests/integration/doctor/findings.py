"""What a look found, for a test to ask."""

from __future__ import annotations

from streams.doctor.findings import Examination, Finding, Level, examine


class Found:
    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings

    def one(self, check: str) -> Finding:
        found = [finding for finding in self.findings if finding.check == check]
        assert len(found) == 1, self.findings
        return found[0]

    @property
    def failing(self) -> list[str]:
        return [finding.check for finding in self.findings if finding.level == Level.FAIL]


async def look(examination: Examination) -> Found:
    found = Found(await examine("part", examination))
    for finding in found.findings:
        assert "\n" not in finding.seen
        assert bool(finding.remedy) == (finding.level != Level.OK), finding
    return found
