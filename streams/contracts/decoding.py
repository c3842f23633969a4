"""What a decoder's refusal says: the message, and the dotted path of the field it is about."""

from __future__ import annotations

import re

import msgspec

_MISSING = re.compile(r"Object missing required field `([^`]+)`")


def failure_of(exc: msgspec.ValidationError) -> tuple[str, str]:
    """The message without its place, and the place; "" where the whole input is meant."""
    message, _, path = str(exc).partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    missing = _MISSING.fullmatch(message)
    if missing is not None:
        # The library names the parent; a person looks for the field that is not there.
        field = f"{field}.{missing[1]}" if field else missing[1]
    return message, field
