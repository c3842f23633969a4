"""What an audit says of a report, and the list of components, made without a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tools.audit import CLEAN, NOT_ASKED, REQUIREMENTS, SBOM, VULNERABLE, judge

ROOT = Path(__file__).resolve().parents[2]


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
#: What pip-audit says of all packages where it cannot ask, beside "No known vulnerabilities found".
SKIPPED = {"name": "skipped", "skip_reason": "Dependency not found and could not be audited"}


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (report(GOOD), CLEAN, "1 packages, none known"),
        (report(GOOD, BAD), VULNERABLE, "bad 1: PYSEC-1, fixed in 2"),
        (report(GOOD, SKIPPED), NOT_ASKED, "could not be asked about 1 of 2 packages (skipped, …)"),
        (report(BAD, SKIPPED), VULNERABLE, "NOT audited"),
        ("", NOT_ASKED, "cannot be reached"),
    ],
)
def test_what_was_not_asked_is_not_clean(text: str, code: int, says: str) -> None:
    found, lines = judge(text)
    assert found == code
    assert says in "\n".join(lines)


@pytest.mark.timeout(300)
def test_the_components_are_listed_without_a_network() -> None:
    if not (ROOT / "build" / "audit" / ".done").exists():
        if os.environ.get("CI") != "true":
            pytest.skip("the audit's tools are not installed here; `make sbom` does that")
        subprocess.run(["make", "build/audit/.done"], cwd=ROOT, check=True)
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
    subprocess.run(["make", "sbom"], cwd=ROOT, check=True, env={**os.environ, **nowhere})
    made = json.loads(SBOM.read_text())
    pinned = re.findall(r"^([a-z0-9._-]+)==([^ ]+)", REQUIREMENTS.read_text(), re.MULTILINE)
    assert made["bomFormat"] == "CycloneDX"
    assert {(one["name"], one["version"]) for one in made["components"]} == set(pinned)
    assert all(one["externalReferences"][0]["hashes"] for one in made["components"])
