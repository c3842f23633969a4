"""Bearer tokens of an OpenID provider, checked by asking it (RFC 7662): what it revokes ends."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from streams.contracts.clock import SYSTEM_CLOCK, Clock
from streams.contracts.errors import UnavailableError
from streams.settings import Settings
from streams.web.callers import Caller, Scope

ANSWER_WITHIN_S = 3.0
#: A token is trusted for so long before the provider is asked again, and never beyond its own end.
TRUST_S = 30.0
MOST_KEPT = 10_000
#: Scopes of a token that are ours: `precompute:read` and so on.
PREFIX = "precompute:"


class _Introspection(msgspec.Struct):
    active: bool
    sub: str = "unknown"
    scope: str = ""
    exp: float | None = None


class TokenIntrospection:
    """Raises `UnavailableError` where the provider does not answer: then nobody new is let in."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock = SYSTEM_CLOCK,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = settings.oidc_introspection_url
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._clock = clock
        self._transport = transport
        self._http: httpx.AsyncClient | None = None
        self._kept: dict[str, tuple[Caller | None, float]] = {}

    @property
    def is_configured(self) -> bool:
        return bool(self._url)

    async def caller(self, token: str) -> Caller | None:
        """Whose token it is; None for one that the provider calls inactive."""
        now = self._clock.now()
        known = self._kept.get(token)
        if known is not None and now < known[1]:
            return known[0]
        found = await self._ask(token)
        until = min(now + TRUST_S, found.exp if found.exp is not None else now + TRUST_S)
        is_live = found.active and until > now
        caller = Caller(f"oidc:{found.sub}"[:200], _scopes(found.scope)) if is_live else None
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[token] = (caller, max(until, now + 1.0))
        return caller

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _ask(self, token: str) -> _Introspection:
        assert self._url is not None
        if self._http is None:
            self._http = httpx.AsyncClient(
                timeout=ANSWER_WITHIN_S, trust_env=False, transport=self._transport
            )
        auth: Any = None
        if self._client_id and self._secret is not None:
            auth = (self._client_id, self._secret.get_secret_value())
        try:
            response = await self._http.post(self._url, data={"token": token}, auth=auth)
            response.raise_for_status()
            return msgspec.json.decode(response.content, type=_Introspection)
        except (httpx.HTTPError, msgspec.DecodeError) as exc:
            raise UnavailableError(f"the OpenID provider does not answer: {type(exc).__name__}") from exc


def _scopes(text: str) -> frozenset[Scope]:
    names = {name.removeprefix(PREFIX) for name in text.split() if name.startswith(PREFIX)}
    return frozenset(scope for scope in Scope if scope.value in names)
