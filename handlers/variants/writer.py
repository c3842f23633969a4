"""Asking the language model, within its budget, and giving up in words."""

from __future__ import annotations

import time

import msgspec

from handlers.context import Context
from handlers.http_client import Call, HttpCaller, HttpStatusError
from handlers.variants.brief import CleanBrief
from handlers.variants.prompt import parse_answer, question
from handlers.variants.providers import Provider, open_provider
from handlers.variants.spending import Breaker, Spending, tokens_at_most
from handlers.variants.variant import Variant, accept
from streams.contracts.outcomes import Retry

#: Seconds kept of a job's time for what comes after the call.
RESERVE_S = 5.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the model gave. Without variants, `error` says why, or is None where no model is set."""

    variants: list[Variant] = []
    source: str = ""
    model: str = ""
    tokens: int = 0
    error: str | None = None


class Writer:
    """Asks the provider of the settings. One per process: the budget and the breaker are its memory."""

    def __init__(self, caller: HttpCaller | None = None) -> None:
        self._caller = caller or HttpCaller()
        self.spending = Spending()
        self.breaker = Breaker()

    async def ask(self, brief: CleanBrief, count: int, context: Context) -> Asked:
        """Variants of a brief; never raises for what a provider does."""
        config = context.config
        provider = open_provider(config)
        if provider is None:
            wanted = config.llm_provider not in ("", "grammar")
            return Asked(error=f"{config.llm_provider} has no key" if wanted else None)
        now = time.time()
        if not self.breaker.allows(now):
            return Asked(error=f"{provider.name} failed repeatedly and rests")
        text = question(brief, count)
        reserved = tokens_at_most(text, config.llm_max_tokens)
        if not self.spending.reserve(config, reserved, now):
            return Asked(error="the daily budget is spent")
        return await self._call(provider, text, reserved, brief, context)

    async def _call(
        self, provider: Provider, text: str, reserved: int, brief: CleanBrief, context: Context
    ) -> Asked:
        config = context.config
        call = Call(
            method="POST",
            url=provider.url,
            headers=provider.headers,
            body=provider.body(text, config.llm_max_tokens),
            deadline_s=max(1.0, min(config.llm_timeout_s, context.remaining_s() - RESERVE_S)),
        )
        used = 0
        try:
            answer, used = provider.read(msgspec.json.decode(await self._caller.send(call)))
            variants = accept(parse_answer(answer), brief)
        except (Retry, HttpStatusError) as exc:
            self.breaker.fail(time.time())
            return Asked(error=f"{provider.name}: {exc}")
        except (msgspec.DecodeError, LookupError, TypeError, ValueError, StopIteration) as exc:
            self.breaker.fail(time.time())
            return Asked(
                tokens=used, error=f"{provider.name}: not the structure asked for ({type(exc).__name__})"
            )
        finally:
            # A call that failed may have been billed: only a known use gives the rest back.
            if used:
                self.spending.settle(reserved, used)
        self.breaker.succeed()
        if not variants:
            return Asked(tokens=used, error=f"{provider.name}: no variant kept to the brief")
        return Asked(variants=variants, source=provider.name, model=provider.model, tokens=used)


WRITER = Writer()
