"""Which of two headlines is clicked more: a linear model of words, pieces of words and style.

Trained by `tools/train_headlines.py` on the Upworthy Research Archive (Matias, Munger, Aubin Le Quere and
Ebersole, "The Upworthy Research Archive, a time series of 32,487 experiments in U.S. media", Scientific Data
2021; CC BY 4.0). The file of coefficients carries its metrics. Scoring needs no library.
"""

from __future__ import annotations

import gzip
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise

import msgspec

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
#: Lengths of the pieces of words, blanks at their ends included.
PIECES = range(2, 6)
#: A headline has a line; what is longer is judged by its beginning.
MAX_CHARACTERS = 300
#: How much a style counts beside a block of terms of length 1.
STYLE_SCALE = 0.2

_GROUPS: dict[str, frozenset[str]] = {
    "says_you": frozenset({"you", "your", "you're", "yours"}),
    "says_i": frozenset({"i", "my", "me", "i'm"}),
    "says_we": frozenset({"we", "our", "us"}),
    "says_he": frozenset({"he", "his", "him"}),
    "says_she": frozenset({"she", "her", "hers"}),
    "says_they": frozenset({"they", "their", "them"}),
    "points": frozenset({"this", "these", "that", "here"}),
    "asks": frozenset({"what", "why", "how", "who", "when", "where"}),
    "denies": frozenset({"not", "no", "never", "don't", "can't", "isn't", "won't"}),
    "turns": frozenset({"but", "until", "then"}),
    "invites": frozenset({"see", "watch", "look", "hear", "read"}),
    "urges": frozenset({"should", "must", "need"}),
    "hedges": frozenset({"might", "may", "could"}),
    "most": frozenset({"most"}),
    "one": frozenset({"one"}),
    "medium": frozenset({"video", "pictures", "photos", "chart", "map"}),
}
_MARKS = {"question": "?", "exclaims": "!", "colon": ":", "dash": "-", "ellipsis": "...", "star": "*"}


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What the model was trained on and how well it did on later tests it had not seen."""

    id: str
    trained_on: str
    licence: str
    metrics: dict[str, float]


class HeadlineModel(msgspec.Struct, frozen=True, kw_only=True):
    """`words` and `pieces` hold, by term, the inverse document frequency and the weight; `styles` by name
    the mean, the deviation and the weight; `slope` turns a difference of scores into log odds.
    """

    card: Card
    words: dict[str, tuple[float, float]]
    pieces: dict[str, tuple[float, float]]
    styles: dict[str, tuple[float, float, float]]
    slope: float

    def score(self, text: str) -> float:
        """A number of which only differences mean something."""
        known = normal(text)
        return (
            _block(word_terms(known), self.words)
            + _block(piece_terms(known), self.pieces)
            + sum(effect for _, effect in self.style_effects(known))
        )

    def style_effects(self, text: str) -> list[tuple[str, float]]:
        """What each style adds to the score, the strongest first."""
        styles = style_of(normal(text))
        effects = [
            (name, STYLE_SCALE * (styles[name] - mean) / deviation * weight)
            for name, (mean, deviation, weight) in self.styles.items()
        ]
        return sorted(effects, key=lambda one: -abs(one[1]))

    def win_probability(self, score: float, other: float) -> float:
        """The chance that the first of two is clicked more."""
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, self.slope * (score - other)))))


@cache
def load_model() -> HeadlineModel:
    data = files("handlers").joinpath("models/headlines.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(data), type=HeadlineModel)


def normal(text: str) -> str:
    """On one line, with straight quotes, no longer than a headline."""
    return " ".join(text[: 4 * MAX_CHARACTERS].replace("\u2019", "'").split())[:MAX_CHARACTERS]


def word_terms(text: str) -> Iterator[str]:
    """Words and pairs of words, in small letters."""
    words = [word.lower() for word in _WORD.findall(text)]
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))


def piece_terms(text: str) -> Iterator[str]:
    """Pieces of words of two to five characters, a blank marking their ends."""
    for word in text.lower().split():
        padded = f" {word} "
        for size in PIECES:
            if len(padded) <= size:
                yield padded
                break
            yield from (padded[i : i + size] for i in range(len(padded) - size + 1))


def style_of(text: str) -> dict[str, float]:
    """The measures of style, by name."""
    words = _WORD.findall(text)
    lower = [word.lower() for word in words]
    known = set(lower)
    count = max(1, len(words))
    styles = {name: float(bool(known & group)) for name, group in _GROUPS.items()}
    styles |= {name: float(mark in text) for name, mark in _MARKS.items()}
    styles |= {
        "length": math.log1p(len(text)),
        "length_squared": (len(text) / 100) ** 2,
        "words": math.log1p(len(words)),
        "word_length": sum(map(len, words)) / count,
        "sentences": float(len(re.findall(r"[.!?]+\s", text))),
        "stops": float(text.count(".")),
        "commas": float(text.count(",")),
        "apostrophes": float(text.count("'")),
        "quotes": float('"' in text or "\u201c" in text),
        "bracket": float("(" in text),
        "number": float(any(char.isdigit() for char in text)),
        "number_first": float(text[:1].isdigit()),
        "shouts": float(sum(word.isupper() and len(word) > 1 for word in words)),
        "capitals": sum(word[0].isupper() for word in words) / count,
        "variety": len(known) / count,
        "the_first": float(lower[:1] == ["the"]),
        "a_first": float(lower[:1] == ["a"]),
        "if_first": float(lower[:1] == ["if"]),
    }
    return styles


def term_values(terms: Iterable[str], idf: dict[str, float]) -> dict[str, float]:
    """Sublinear term frequency times inverse document frequency, scaled to length 1, of known terms."""
    values = {
        term: (1 + math.log(count)) * idf[term] for term, count in Counter(terms).items() if term in idf
    }
    length = math.sqrt(sum(value * value for value in values.values()))
    return {term: value / length for term, value in values.items()} if length else {}


def _block(terms: Iterable[str], table: dict[str, tuple[float, float]]) -> float:
    found = {
        term: (1 + math.log(count)) * table[term][0]
        for term, count in Counter(terms).items()
        if term in table
    }
    length = math.sqrt(sum(value * value for value in found.values()))
    return sum(value * table[term][1] for term, value in found.items()) / length if length else 0.0
