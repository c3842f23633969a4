"""Who calls, and what they may do."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from fastapi import Request


class Scope(StrEnum):
    """What a key allows. Each is asked for by itself; a key usually has several."""

    #: Answers, queues, jobs: everything that is looked at. A reader may ask for a missing answer.
    READ = "read"
    #: Events.
    PUBLISH = "publish"
    #: Invalidate, refresh, retry, cancel, replay, batches.
    OPERATE = "operate"


class Caller(msgspec.Struct, frozen=True):
    """`name` is the key's id, or where nobody is asked for a key, `loopback` or `anybody`."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes


ALL_SCOPES = frozenset(Scope)
ANYBODY = Caller("anybody", ALL_SCOPES)
LOOPBACK = Caller("loopback", ALL_SCOPES)


def caller_of(request: Request) -> Caller:
    """Whom the gate let in."""
    found: Caller = request.scope.get("precompute.caller", ANYBODY)
    return found
