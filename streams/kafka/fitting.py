"""Makes a dead letter fit its topic: what came compressed may be larger than any record we may send."""

from __future__ import annotations

from collections.abc import Sequence

from streams.contracts.topics import MAX_RECORD_BYTES
from streams.kafka.producer import Headers

#: A batch's and a record's framing, with much to spare.
FRAMING_BYTES = 4096
#: What is kept of a key that is too large to be one.
KEY_BYTES = 1024
#: What is kept of the publisher's headers once something has to go.
HEADER_BYTES = 64 * 1024
#: Says how many bytes the record had; without it the letter holds all of them.
TRUNCATED = "precompute-truncated"


def fit_letter(
    value: bytes | None,
    key: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    reasons: Sequence[tuple[str, bytes | None]],
) -> tuple[bytes | None, bytes | None, Headers]:
    """Value, key and headers of a letter; `reasons` are the headers that say why it is one.

    Nothing is touched where all of it fits. A record that never fits would stop its stream for good.
    """
    size = len(value or b"") + len(key or b"") + size_of(headers)
    room = MAX_RECORD_BYTES - FRAMING_BYTES - size_of(reasons)
    if size <= room:
        return value, key, [*headers, *reasons]
    kept: Headers = []
    left = HEADER_BYTES
    for header in headers:
        if size_of([header]) <= left:
            left -= size_of([header])
            kept.append(header)
    key = key[:KEY_BYTES] if key is not None else None
    value = value[: room - KEY_BYTES - HEADER_BYTES] if value is not None else None
    return value, key, [*kept, *reasons, (TRUNCATED, str(size).encode())]


def size_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    """Bytes of record headers, their lengths included."""
    return sum(len(name.encode()) + len(value or b"") + 10 for name, value in headers)
