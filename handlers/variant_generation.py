"""Variants of an advertisement's words."""

from __future__ import annotations

import os
import re

import msgspec

from handlers.config import HandlerConfig, load_handler_config
from handlers.context import Context
from handlers.contract import handler
from handlers.inputs import BriefInput
from handlers.variants.brief import CleanBrief, clean_brief
from handlers.variants.grammar import write_variants
from handlers.variants.prompt import PROMPT_VERSION
from handlers.variants.variant import Variant

#: Enough to test against each other, few enough to read.
COUNT = 6


class VariantResult(msgspec.Struct, frozen=True, kw_only=True):
    """`source` is a provider's name or `grammar`. `degraded`: a provider is set, but the grammar answered;
    `provider_error` says why.
    """

    variants: list[Variant]
    source: str
    model: str
    prompt_version: str
    degraded: bool
    provider_error: str | None
    tokens: int
    warnings: list[str]


def version_of(config: HandlerConfig) -> str:
    """The answer's version: code, question, and the model that the settings name."""
    named = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{config.llm_provider}-{config.llm_model}").strip("-")
    return f"1-{PROMPT_VERSION}-{named}"[:128].rstrip("-")


@handler(task="variant_generation", kind="io", version=version_of(load_handler_config(os.environ)))
async def variant_generation(campaign: BriefInput, context: Context) -> VariantResult:
    """Writes variants with the language model of the settings, or with a grammar that invents no claim."""
    brief = clean_brief(campaign)
    from handlers.variants.writer import WRITER  # noqa: PLC0415 - httpx loads with the first job

    asked = await WRITER.ask(brief, COUNT, context)
    if asked.variants:
        return _result(brief, asked.variants, source=asked.source, model=asked.model, tokens=asked.tokens)
    result = _result(
        brief, write_variants(brief, COUNT), source="grammar", model="grammar-1", tokens=asked.tokens
    )
    return msgspec.structs.replace(result, degraded=asked.error is not None, provider_error=asked.error)


def _result(
    brief: CleanBrief, variants: list[Variant], *, source: str, model: str, tokens: int
) -> VariantResult:
    return VariantResult(
        variants=variants,
        source=source,
        model=model,
        prompt_version=PROMPT_VERSION,
        degraded=False,
        provider_error=None,
        tokens=tokens,
        warnings=["the brief is long: only its beginning was read"] if brief.shortened else [],
    )
