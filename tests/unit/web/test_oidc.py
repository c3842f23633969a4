"""Tokens of an OpenID provider, which here is a function."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from streams.contracts.clock import ManualClock
from streams.contracts.errors import UnavailableError
from streams.settings import load_settings
from streams.web.callers import Scope
from streams.web.oidc import TokenIntrospection


class Provider:
    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked = 0
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        assert b"token=t" in request.content
        assert request.headers["authorization"].startswith("Basic ")
        return httpx.Response(self.status, json=self.answer)


def tokens(provider: Provider, clock: ManualClock) -> TokenIntrospection:
    settings = load_settings(
        oidc_introspection_url="https://id.test/introspect", oidc_client_id="pc", oidc_client_secret="s"
    )
    return TokenIntrospection(settings, clock, httpx.MockTransport(provider))


async def test_a_token_has_the_scopes_that_are_ours() -> None:
    clock = ManualClock()
    provider = Provider(
        active=True, sub="ann", scope="openid precompute:read precompute:operate other:publish"
    )
    checked = tokens(provider, clock)
    caller = await checked.caller("t")
    assert caller is not None
    assert caller.name == "oidc:ann"
    assert caller.scopes == {Scope.READ, Scope.OPERATE}
    await checked.caller("t")
    assert provider.asked == 1
    await checked.close()


async def test_trust_ends_with_the_token_and_with_time() -> None:
    clock = ManualClock()
    provider = Provider(active=True, scope="precompute:read", exp=clock.now() + 10)
    checked = tokens(provider, clock)
    assert await checked.caller("t") is not None
    clock.advance(11)
    assert await checked.caller("t") is None
    assert provider.asked == 2
    await checked.close()


async def test_an_inactive_token_is_nobody() -> None:
    checked = tokens(Provider(active=False), ManualClock())
    assert await checked.caller("t") is None
    await checked.close()


async def test_a_provider_that_fails_lets_nobody_in() -> None:
    provider = Provider(active=True)
    provider.status = 500
    checked = tokens(provider, ManualClock())
    with pytest.raises(UnavailableError):
        await checked.caller("t")
    await checked.close()
