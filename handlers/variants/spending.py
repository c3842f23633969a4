"""What keeps a language model's bill and its outages bounded: a daily budget and a circuit breaker."""

from __future__ import annotations

from datetime import UTC, datetime

from handlers.config import HandlerConfig

#: Failures in a row after which the server is left alone, and for how many seconds.
FAILURES, REST_S = 5, 60.0
#: A token has about four characters of English; a reservation that is too large is given back.
CHARACTERS_PER_TOKEN = 3


class Spending:
    """Tokens and money of this process, by day in UTC. Each worker process has its own budget."""

    def __init__(self) -> None:
        self._day = ""
        self._tokens = 0

    def reserve(self, config: HandlerConfig, tokens: int, now: float) -> bool:
        """Whether a call of at most so many tokens still fits the day; if so, they are spent."""
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        if day != self._day:
            self._day, self._tokens = day, 0
        after = self._tokens + tokens
        money = after * config.llm_usd_per_mtoken / 1e6
        if after > config.llm_daily_tokens or money > config.llm_daily_usd:
            return False
        self._tokens = after
        return True

    def settle(self, reserved: int, used: int) -> None:
        """Replaces a reservation by what was used."""
        self._tokens += used - reserved

    @property
    def tokens(self) -> int:
        return self._tokens


class Breaker:
    """Open after failures in a row: calls are refused for a while, then one may try."""

    def __init__(self) -> None:
        self._failures = 0
        self._opened_at = 0.0

    def allows(self, now: float) -> bool:
        return self._failures < FAILURES or now - self._opened_at >= REST_S

    def succeed(self) -> None:
        self._failures = 0

    def fail(self, now: float) -> None:
        self._failures += 1
        self._opened_at = now


def tokens_at_most(text: str, max_tokens: int) -> int:
    """An upper bound of what a question of that text may use."""
    return len(text) // CHARACTERS_PER_TOKEN + max_tokens
