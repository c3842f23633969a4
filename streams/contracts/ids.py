"""Identifiers: which are allowed, and how a job's is derived."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

import msgspec

#: `(?![\s\S])` is the end of the text in Python and in ECMAScript alike; `$` would let a newline pass.
ID_PATTERN = r"^[A-Za-z0-9._-]{1,128}(?![\s\S])"

#: The id of a user, a video, a campaign. A colon is nowhere: it separates the parts of a cache key.
Id = Annotated[str, msgspec.Meta(pattern=ID_PATTERN, description="1 to 128 of A-Z a-z 0-9 . _ -")]

_is_id = re.compile(ID_PATTERN).match


def is_id(text: str) -> bool:
    return _is_id(text) is not None


def derive_job_id(task: str, key: str, cause: str) -> str:
    """The same task for the same key and the same cause is the same job, wherever it is derived.

    `cause` names what asked for it: an event's `source/id`, or a caller's own token.
    Returns 24 hexadecimal digits (96 bits: a collision among 10^12 jobs has a chance of 1e-5).
    """
    digest = hashlib.blake2b(f"{task}\0{key}\0{cause}".encode(), digest_size=12)
    return digest.hexdigest()
