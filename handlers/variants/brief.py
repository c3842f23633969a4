"""A brief as clean, short text. Whatever it says, it is data."""

from __future__ import annotations

import hashlib
import re
import unicodedata

import msgspec

from handlers.inputs import Brief, BriefInput
from streams.contracts.outcomes import Reject

#: Characters of a brief that are read; the rest is left out, and the result says so.
MAX_CHARACTERS = 4000
#: Characters of one part that a headline may quote.
MAX_PART = 60
_BLANK = re.compile(r"\s+")
_CLAUSE = re.compile(r"[.!?:;\n\u3002\uff01\uff1f]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class CleanBrief(msgspec.Struct, frozen=True, kw_only=True):
    """Parts in one line each; "" where the brief does not say. `text` is everything, for a model to read."""

    #: Whether the brief names a product; else `product` is its first clause and `benefit` its second.
    named: bool
    product: str
    audience: str
    benefit: str
    offer: str
    language: str
    text: str
    headlines: list[str]
    shortened: bool

    @property
    def digest(self) -> str:
        """What the same brief always has: the seed of the grammar."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    @property
    def numbers(self) -> frozenset[str]:
        """Every number the brief says: a variant may say no other."""
        return numbers_in(self.text)


def clean_brief(given: BriefInput) -> CleanBrief:
    """Reads a brief of either shape; raises `Reject` for one that says nothing."""
    brief = given.brief if isinstance(given.brief, Brief) else Brief(text=given.brief)
    named = [brief.product, brief.benefit, brief.offer, brief.audience, brief.text]
    everything = one_line(". ".join(part[: 2 * MAX_CHARACTERS] for part in [*named, *brief.claims] if part))
    if not any(char.isalnum() for char in everything):
        raise Reject("brief: says nothing; give a text, or a product", reason="bad_input")
    clauses = [*_clauses(brief.text or everything), "", ""]
    named_product = one_line((brief.product or "")[:MAX_CHARACTERS])
    claim = brief.benefit or (brief.claims[0] if brief.claims else "")
    return CleanBrief(
        named=bool(named_product),
        product=shorten(named_product or clauses[0]),
        audience=shorten(brief.audience or ""),
        benefit=shorten(claim or ("" if named_product else clauses[1])),
        offer=shorten(brief.offer or ""),
        language=shorten(brief.language or "").lower(),
        text=everything[:MAX_CHARACTERS],
        headlines=[line for line in map(shorten_headline, brief.headlines) if line],
        shortened=len(everything) > MAX_CHARACTERS,
    )


def one_line(text: str) -> str:
    """Without control, private and unassigned characters, on one line."""
    kept = "".join(" " if char.isspace() else char for char in text if char.isspace() or _is_shown(char))
    return _BLANK.sub(" ", kept).strip()


def shorten(text: str, length: int = MAX_PART) -> str:
    """The beginning of a text, cut between words where there are words."""
    line = one_line(text[: 8 * length])
    if len(line) <= length:
        return line.rstrip(" .,;:")
    cut = line[:length]
    whole = cut.rpartition(" ")[0]
    return (whole if len(whole) > length // 2 else cut).rstrip(" .,;:")


def shorten_headline(text: str) -> str:
    return shorten(text, 200)


def numbers_in(text: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(text))


def _is_shown(char: str) -> bool:
    return not unicodedata.category(char).startswith("C")


def _clauses(text: str) -> list[str]:
    """The parts of a text between its stops, those without a letter or digit left out."""
    clauses = (clause.strip() for clause in _CLAUSE.split(text[: 4 * MAX_CHARACTERS]))
    return [clause for clause in clauses if any(char.isalnum() for char in clause)]
