"""One variant, and what none may say."""

from __future__ import annotations

import msgspec

from handlers.variants.brief import CleanBrief, numbers_in, one_line

MAX_HEADLINE, MAX_BODY, MAX_CALL = 120, 300, 30


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One way of saying it. `body` and `call_to_action` may be empty."""

    id: str
    headline: str
    body: str
    call_to_action: str


def accept(found: list[Variant], brief: CleanBrief) -> list[Variant]:
    """The variants that are short, different, and say no number the brief does not say."""
    accepted: dict[str, Variant] = {}
    for one in found:
        clean = Variant(
            id=f"v{len(accepted) + 1}",
            headline=one_line(one.headline),
            body=one_line(one.body),
            call_to_action=one_line(one.call_to_action),
        )
        if clean.headline and _is_short(clean) and _numbers(clean) <= brief.numbers:
            accepted.setdefault(clean.headline.casefold(), clean)
    return list(accepted.values())


def _is_short(one: Variant) -> bool:
    return (
        len(one.headline) <= MAX_HEADLINE
        and len(one.body) <= MAX_BODY
        and len(one.call_to_action) <= MAX_CALL
    )


def _numbers(one: Variant) -> frozenset[str]:
    return numbers_in(f"{one.headline} {one.body} {one.call_to_action}")
