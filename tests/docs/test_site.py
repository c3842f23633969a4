"""The site builds without a warning."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS, ROOT

#: The script stands beside the interpreter that runs the tests.
ZENSICAL = Path(sys.executable).parent / "zensical"


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ZENSICAL), "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_site_builds_and_a_broken_link_stops_it(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)

    built = build(tmp_path)

    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "build" / "site" / "explanation" / "promises.html").is_file()

    (tmp_path / "docs" / "broken.md").write_text("# Broken\n\n[nowhere](nowhere.md)\n")
    assert build(tmp_path).returncode != 0
