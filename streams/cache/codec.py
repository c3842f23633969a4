"""Stored answers as bytes: a fixed header that a script can compare, then the body.

Header, 73 ASCII bytes: format "1", encoding "p" plain or "z" zstd, the input version in 19 digits, then start
of the computation and expiry in milliseconds, 14 digits each, and the job's id. Fixed widths compare as text.
"""

from __future__ import annotations

import msgspec
import zstandard

from streams.contracts.errors import ContractError
from streams.contracts.results import StoredResult

FORMAT = b"1"
HEADER_BYTES = 73
#: Below about a kilobyte zstd saves less than its frame and its call cost.
COMPRESS_ABOVE = 1024
#: 14 digits of milliseconds last until the year 5138.
TIME_DIGITS = 14
#: What a 63-bit number needs.
VERSION_DIGITS = 19
#: What `derive_job_id` gives.
JOB_ID_WIDTH = 24

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(StoredResult)
_compressor = zstandard.ZstdCompressor(level=3)
_decompressor = zstandard.ZstdDecompressor()
#: What a reader is willing to unpack; a handler's result is far smaller.
_MOST_BYTES = 64 * 1024 * 1024


def time_digits(ms: int) -> str:
    """A time in the header's form; raises ValueError where it does not fit."""
    text = f"{ms:0{TIME_DIGITS}d}"
    if ms < 0 or len(text) > TIME_DIGITS:
        raise ValueError(f"{ms} does not fit {TIME_DIGITS} digits")
    return text


def encode_stored(stored: StoredResult) -> bytes:
    body = _encoder.encode(stored)
    encoding = b"p"
    if len(body) > COMPRESS_ABOVE:
        packed = _compressor.compress(body)
        if len(packed) < len(body):
            body, encoding = packed, b"z"
    version, started, expires = stored.input_version, stored.started_at, stored.expires_at
    head = f"{version:0{VERSION_DIGITS}d}{started:0{TIME_DIGITS}d}{expires:0{TIME_DIGITS}d}"
    if len(head) != VERSION_DIGITS + 2 * TIME_DIGITS or version < 0 or started < 0 or expires < 0:
        raise ValueError(f"{version}, {started} or {expires} does not fit the header of an answer")
    return FORMAT + encoding + f"{head}{stored.job_id:<{JOB_ID_WIDTH}.{JOB_ID_WIDTH}}".encode() + body


def expiry_of(head: bytes) -> int:
    """The logical expiry (ms) in the first `HEADER_BYTES` of an answer; 0 where there is none."""
    begin = 2 + VERSION_DIGITS + TIME_DIGITS
    digits = head[begin : begin + TIME_DIGITS]
    return int(digits) if len(head) == HEADER_BYTES and digits.isdigit() else 0


def decode_stored(data: bytes) -> StoredResult:
    """Reads a stored answer; raises `ContractError` for bytes of another format."""
    if len(data) < HEADER_BYTES or data[:1] != FORMAT:
        raise ContractError("a stored answer of an unknown format; invalidate the key, or wait for its TTL")
    body: bytes = data[HEADER_BYTES:]
    try:
        if data[1:2] == b"z":
            # A frame that names its size is unpacked whatever the bound says.
            if zstandard.frame_content_size(body) > _MOST_BYTES:
                raise ContractError(f"a stored answer of more than {_MOST_BYTES} bytes")
            body = _decompressor.decompress(body, max_output_size=_MOST_BYTES)
        return _decoder.decode(body)
    except (zstandard.ZstdError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ContractError(f"a stored answer that does not decode: {exc}") from exc
