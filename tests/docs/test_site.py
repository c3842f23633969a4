"""The site builds without a warning."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS, ROOT

#: The script stands beside the interpreter that runs the tests.
ZENSICAL = Path(sys.executable).parent / "zensical"
_FROM_ELSEWHERE = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"')


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ZENSICAL), "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def fetched_from_elsewhere(site: Path) -> list[str]:
    """What a reader's browser would load from other hosts: scripts, styles, pictures, and Mermaid, which
    the theme gets from a CDN as soon as a page has a diagram of it.
    """
    found = []
    for page in site.rglob("*.html"):
        text = page.read_text()
        found += [f"{page.name}: {match[0]}" for match in _FROM_ELSEWHERE.finditer(text)]
        found += [f"{page.name}: a Mermaid diagram"] * ('class="mermaid"' in text)
    return found


def test_what_is_fetched_from_elsewhere_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<script async src="https://cdn.example/x.js"></script>')
    (tmp_path / "b.html").write_text('<pre class="mermaid"></pre><a href="https://kafka.apache.org/">x</a>')
    assert len(fetched_from_elsewhere(tmp_path)) == 2


def test_the_site_builds_and_a_broken_link_stops_it(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)

    built = build(tmp_path)

    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "build" / "site" / "explanation" / "promises.html").is_file()
    assert fetched_from_elsewhere(tmp_path / "build" / "site") == []

    (tmp_path / "docs" / "broken.md").write_text("# Broken\n\n[nowhere](nowhere.md)\n")
    assert build(tmp_path).returncode != 0
