"""Which variant is likely to be clicked more, and what that guess is worth."""

from __future__ import annotations

from typing import Any

import msgspec

from handlers.context import Context
from handlers.contract import handler
from handlers.headlines import Card, HeadlineModel, load_model, normal
from handlers.inputs import Brief, BriefInput
from handlers.variants.brief import shorten_headline

#: Styles named for each headline.
NAMED_STYLES = 3
#: Headlines compared: every pair is.
MAX_HEADLINES = 50


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A style and what it adds to the score."""

    style: str
    effect: float


class ScoredVariant(msgspec.Struct, frozen=True, kw_only=True):
    """`score`: only differences mean something. `win_probability`: the mean chance to be clicked more than
    another of these, by the model; half is a coin.
    """

    id: str
    headline: str
    source: str
    rank: int
    score: float
    win_probability: float
    reasons: list[Reason]


class ScoreResult(msgspec.Struct, frozen=True, kw_only=True):
    variants: list[ScoredVariant]
    model: Card
    warnings: list[str]


@handler(task="variant_scoring", kind="cpu", version="1", needs=("variant_generation",))
def variant_scoring(campaign: BriefInput, context: Context) -> ScoreResult:
    """Orders headlines by a model trained on randomised tests, and says what it was trained on."""
    model = load_model()
    found = headlines_of(campaign, context.results.get("variant_generation"))
    return ScoreResult(
        variants=rank(found, model),
        model=model.card,
        warnings=warnings_of(found),
    )


def headlines_of(campaign: BriefInput, generated: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Id, headline and source of what is to be ordered: the brief's own, then the generated ones."""
    own = campaign.brief.headlines if isinstance(campaign.brief, Brief) else []
    found = [(f"b{i}", shorten_headline(text), "brief") for i, text in enumerate(own, start=1)]
    variants = generated["variants"] if generated else []
    found += [(one["id"], shorten_headline(one["headline"]), "variant_generation") for one in variants]
    distinct = {
        normal(headline).casefold(): (id_, headline, source) for id_, headline, source in reversed(found)
    }
    return [one for one in reversed(list(distinct.values())) if one[1]][:MAX_HEADLINES]


def rank(found: list[tuple[str, str, str]], model: HeadlineModel) -> list[ScoredVariant]:
    scored = [(one, model.score(one[1])) for one in found]
    ordered = sorted(scored, key=lambda pair: -pair[1])
    return [
        ScoredVariant(
            id=id_,
            headline=headline,
            source=source,
            rank=place,
            score=round(score, 4),
            win_probability=_win(score, [s for other, s in scored if other[0] != id_], model),
            reasons=[
                Reason(style=name, effect=round(effect, 4))
                for name, effect in model.style_effects(headline)[:NAMED_STYLES]
            ],
        )
        for place, ((id_, headline, source), score) in enumerate(ordered, start=1)
    ]


def warnings_of(found: list[tuple[str, str, str]]) -> list[str]:
    warnings = [
        "trained on news headlines of 2013 to 2015, not on advertisements: an ordering to test, not a result"
    ]
    letters = [char for _, headline, _ in found for char in headline if char.isalpha()]
    if sum(char.isascii() for char in letters) < 0.9 * len(letters):
        warnings.append("the model knows English alone")
    if len(found) < 2:
        warnings.append("fewer than two headlines: there is nothing to compare")
    return warnings


def _win(score: float, others: list[float], model: HeadlineModel) -> float:
    if not others:
        return 0.5
    return round(sum(model.win_probability(score, other) for other in others) / len(others), 4)
