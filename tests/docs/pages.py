"""What the documentation's tests read: pages, fenced code, code spans, links, headings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```\s*$", re.DOTALL | re.MULTILINE
)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)|!\[[^\]]*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
RUNNABLE = "<!-- runnable -->"


class Snippet(msgspec.Struct, frozen=True):
    """A fenced block; `line` is that of its first line of code."""

    page: Path
    line: int
    language: str
    code: str
    runnable: bool

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page of documentation, and the pages beside the code."""
    beside = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "SECURITY.md",
        ROOT / "charts" / "precompute" / "README.md",
    ]
    return [path for path in (*beside, *sorted(DOCS.rglob("*.md"))) if path.is_file()]


def snippets(*languages: str) -> list[Snippet]:
    return [one for page in pages() for one in _snippets(page) if one.language in languages]


def _snippets(page: Path) -> Iterator[Snippet]:
    text = page.read_text()
    for found in _FENCE.finditer(text):
        indent, body = found["indent"], found["body"]
        code = "\n".join(line.removeprefix(indent) for line in body.splitlines()) + "\n"
        words = found["info"].split()
        runnable = text[: found.start()].rstrip().endswith(RUNNABLE)
        line = text.count("\n", 0, found.start("body")) + 1
        yield Snippet(page, line, words[0] if words else "", code, runnable)


def without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def code_spans(page: Path) -> list[str]:
    return _SPAN.findall(without_fences(page.read_text()))


def links(page: Path) -> list[str]:
    """Targets of links and pictures, code left out."""
    prose = _SPAN.sub("``", without_fences(page.read_text()))
    return [first or second for first, second in _LINK.findall(prose)]


def anchors(page: Path) -> set[str]:
    """The names that headings can be linked by, as sites and forges make them."""
    return {_slug(heading) for heading in _HEADING.findall(without_fences(page.read_text()))}


def _slug(heading: str) -> str:
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
