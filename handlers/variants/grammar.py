"""A grammar of advertisements that only says what the brief says: deterministic, and no claim of its own."""

from __future__ import annotations

import random
from string import Formatter

from handlers.variants.brief import CleanBrief
from handlers.variants.variant import Variant

#: Sentences around the brief's own words. None promises, compares or counts anything.
_HEADLINES = (
    "{product}, for {audience}",
    "For {audience}: {product}",
    "{benefit}: {product}",
    "{product}. {benefit}.",
    "{offer} on {product}",
    "{product}: {offer}",
    "What would {product} change for you?",
    "Have you thought about {product}?",
    "This is {product}",
    "Here is what {product} looks like",
    "A closer look at {product}",
    "Take a minute for {product}",
    "Why {audience} may want to see {product}",
    "Say hello to {product}",
)
#: Around a clause of the brief, where no product is named that a sentence could take.
_CLAUSE_HEADLINES = (
    "{product}",
    "Take a look: {product}",
    "For you: {product}",
    "A closer look: {product}",
    "{product}. Interested?",
    "{product}. {benefit}.",
    "{benefit}: {product}",
    "{product} \u2013 {offer}",
    "For {audience}: {product}",
)
_CLAUSE_BODIES = ("{benefit}.", "{offer}.", "{product}.")
#: Without a word of any language, for briefs that are not in English.
_PLAIN_HEADLINES = (
    "{product}",
    "{product} \u2013 {benefit}",
    "{benefit} \u2013 {product}",
    "{product} \u2013 {offer}",
    "{offer} \u2013 {product}",
    "{product} \u2013 {audience}",
)
_BODIES = (
    "{benefit}.",
    "Made for {audience}.",
    "{offer}.",
    "See {product} for yourself.",
    "Find out more about {product}.",
)
_PLAIN_BODIES = ("{benefit}", "{offer}", "{product}")
_CALLS = ("See more", "Take a look", "Learn more", "Find out more")

#: Share of letters that are ASCII above which a brief without a language is taken for English.
ENGLISH_SHARE = 0.9


def write_variants(brief: CleanBrief, count: int) -> list[Variant]:
    """Up to `count` different variants; the same brief always gives the same ones."""
    english = is_english(brief)
    chance = random.Random(int(brief.digest, 16))  # noqa: S311 - variety, not secrecy
    parts = {name: getattr(brief, name) for name in ("product", "audience", "benefit", "offer")}
    headline_forms, body_forms = _forms(brief, english=english)
    headlines, bodies = _fill(headline_forms, parts), _fill(body_forms, parts)
    chance.shuffle(headlines)
    return [
        Variant(
            id=f"v{number}",
            headline=headline,
            body=chance.choice(bodies),
            call_to_action=chance.choice(_CALLS) if english else "",
        )
        for number, headline in enumerate(headlines[:count], start=1)
    ]


def is_english(brief: CleanBrief) -> bool:
    """Whether English words may stand around the brief's: it says so, or it looks like it."""
    if brief.language:
        return brief.language.startswith("en")
    letters = [char for char in brief.text if char.isalpha()]
    return sum(char.isascii() for char in letters) >= ENGLISH_SHARE * len(letters)


def _forms(brief: CleanBrief, *, english: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not english:
        return _PLAIN_HEADLINES, _PLAIN_BODIES
    return (_HEADLINES, _BODIES) if brief.named else (_CLAUSE_HEADLINES, _CLAUSE_BODIES)


def _fill(templates: tuple[str, ...], parts: dict[str, str]) -> list[str]:
    """The templates whose every part the brief has, filled; each sentence once."""
    filled = []
    for template in templates:
        names = [name for _, name, _, _ in Formatter().parse(template) if name]
        if all(parts[name] for name in names):
            text = template.format(**parts)
            filled.append(text[:1].upper() + text[1:])
    return list(dict.fromkeys(filled))
