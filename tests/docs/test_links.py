"""Every link leads somewhere, and every path in the prose is there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, code_spans, links, pages

_EXTERNAL = re.compile(r"^(https?:|mailto:)")
_PATH = re.compile(r"(?:streams|handlers|predictor|tests|tools|bench|charts|docs|deploy)/[\w./-]*\w")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    broken = [link for link in links(page) if not _EXTERNAL.match(link) and not _resolves(page, link)]
    assert broken == []


def _resolves(page: Path, link: str) -> bool:
    target, _, anchor = unquote(link).partition("#")
    path = (page.parent / target).resolve() if target else page
    if not path.exists():
        return False
    return not anchor or path.suffix != ".md" or anchor in anchors(path)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_in_the_prose_are_there(page: Path) -> None:
    spans = [span for span in code_spans(page) if _PATH.fullmatch(span)]
    assert [span for span in spans if not _exists(page, span)] == []


def _exists(page: Path, span: str) -> bool:
    return (ROOT / span).exists() or (page.parent / span).exists()


def test_every_page_can_be_reached_from_the_index() -> None:
    """Runbooks are reached from their alerts; reports come and go with what is measured."""
    seen: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        targets = [link.partition("#")[0] for link in links(page) if not _EXTERNAL.match(link)]
        waiting += [(page.parent / target).resolve() for target in targets if target]
    written = {page for page in DOCS.rglob("*.md") if page.parent.name not in ("runbooks", "benchmarks")}
    lost = written - seen
    assert sorted(str(page.relative_to(DOCS)) for page in lost) == []
