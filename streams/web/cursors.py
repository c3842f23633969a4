"""Cursors: opaque to callers, checked when they come back."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec

from streams.web.problems import Problem

T = TypeVar("T")

LONGEST = 500


def encode_cursor(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def decode_cursor(text: str, kind: type[T]) -> T:
    """Raises a 400 for anything that no answer of ours contained."""
    if len(text) > LONGEST:
        raise Problem(400, "this cursor is not one of ours", field="cursor")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(data, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError) as exc:
        raise Problem(400, "this cursor is not one of ours; begin without one", field="cursor") from exc
