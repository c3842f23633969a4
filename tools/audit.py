"""`make audit`: what stands in the image, and which of it is known to be vulnerable.

    python tools/audit.py [--sbom-only]

Run by the Python of requirements/audit.txt, for it needs nothing else. Writes build/sbom.cdx.json (CycloneDX
1.6), which asks nobody. Exits 0 where nothing is known to be vulnerable, 1 where something is, 3 where the
vulnerability service could not be asked about everything.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: What the image installs (Dockerfile).
REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
SBOM = ROOT / "build" / "sbom.cdx.json"
CLEAN, VULNERABLE, NOT_ASKED = 0, 1, 3
_ASK_WITHIN_S = 15


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--sbom-only"]):
        print("usage: python tools/audit.py [--sbom-only]", file=sys.stderr)
        return 2
    write_sbom()
    if arguments:
        return CLEAN
    code, lines = judge(ask())
    print("\n".join(lines))
    return code


def write_sbom() -> None:
    """The components with their hashes, from the pinned requirements: the same file gives the same bytes."""
    SBOM.parent.mkdir(exist_ok=True)
    options = ["--sv", "1.6", "--output-reproducible", "--pyproject", str(ROOT / "pyproject.toml")]
    subprocess.run(  # noqa: S603 (a tool of our own environment)
        [
            *(sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", *options),
            *("-o", str(SBOM), str(REQUIREMENTS)),
        ],
        check=True,
    )
    count = len(json.loads(SBOM.read_text())["components"])
    print(f"{SBOM.relative_to(ROOT)}: {count} components")


def ask() -> str:
    """pip-audit's report; empty where it could not make one."""
    asked = subprocess.run(  # noqa: S603 (as above)
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(REQUIREMENTS)),
            *("--disable-pip", "--require-hashes", "--format", "json", "--timeout", str(_ASK_WITHIN_S)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if not asked.stdout:
        print(asked.stderr.strip().splitlines()[-1:], file=sys.stderr)
    return asked.stdout


def judge(report: str) -> tuple[int, list[str]]:
    """Exit code and lines for a report. A package that was skipped was not found clean."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        return NOT_ASKED, ["the vulnerability service cannot be reached from here: nothing was audited"]
    vulnerable = [_line(one, found) for one in packages for found in one.get("vulns", ())]
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    lines = list(vulnerable)
    if vulnerable:
        lines.append("raise what is named above in pyproject.toml, then run `make lock`")
    if skipped:
        lines.append(
            f"the vulnerability service could not be asked about {len(skipped)} of {len(packages)} packages "
            f"({', '.join(skipped[:3])}, …): they were NOT audited; run this where it can be reached"
        )
    if not lines:
        return CLEAN, [f"{len(packages)} packages, none known to be vulnerable"]
    return VULNERABLE if vulnerable else NOT_ASKED, lines


def _line(package: dict[str, Any], found: dict[str, Any]) -> str:
    fixed = ", ".join(found["fix_versions"]) or "none yet"
    return f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
