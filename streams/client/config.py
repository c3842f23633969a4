"""How a client behaves; validated where it is made."""

from __future__ import annotations

import msgspec

from streams.contracts.errors import ConfigurationError


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in seconds. Raises `ConfigurationError` that names the field.

    `redis_url`: redis://, rediss:// or unix://; redis+sentinel://host:port,host:port/service/db;
    redis+cluster://host:port,host:port (rediss+... with TLS). A user of an ACL stands before the @,
    redis-py's options of TLS behind a question mark.
    """

    redis_url: str = "redis://127.0.0.1:6379/0"
    namespace: str = "pc"
    #: Where missing answers are asked for; without it the client only reads.
    api_url: str | None = None
    api_key: str | None = None
    #: How long an answer is served from memory; 0 switches memory off. Invalidations reach it at once,
    #: newer answers only when this is over: keep it short.
    memory_ttl_s: float = 1.0
    memory_entries: int = 10_000
    #: How old a copy in memory may be that is served while the cache is away; 0: none is.
    fail_safe_s: float = 3600.0
    #: How long a call waits before it takes an older answer that is at hand; None: as long as the hard one.
    soft_timeout_s: float | None = None
    #: How long a call may take at most.
    hard_timeout_s: float = 2.0
    #: XFetch's beta: above 1 refreshes earlier, 0 never early.
    early_beta: float = 1.0
    #: Failed calls in a row after which the cache is left alone, and for how long.
    breaker_failures: int = 5
    breaker_open_s: float = 1.0
    most_waiters: int = 10_000
    #: Report reads, so that proactive refresh and the fleet's hit rate know of them.
    report_reads: bool = True

    def __post_init__(self) -> None:
        for name in ("memory_ttl_s", "fail_safe_s", "early_beta"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; it must not be below zero")
        for name in (
            "memory_entries",
            "hard_timeout_s",
            "breaker_failures",
            "breaker_open_s",
            "most_waiters",
        ):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; it must be above zero")
        if self.soft_timeout_s is not None and self.soft_timeout_s < 0:
            raise ConfigurationError("soft_timeout_s must not be below zero; None leaves it out")
