"""From a `uri` to an open file: local paths inside the roots, remote ones through `download`."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from handlers.context import MediaPolicy
from handlers.video.refusal import MISSING, OUTSIDE, refuse

#: Longest location looked at; no file system takes more.
MAX_LENGTH = 4096


def is_remote(location: str) -> bool:
    """Whether a location is an address of another machine, allowed or not."""
    return "://" in location and not location.lower().startswith("file://")


def check_location(location: str) -> str:
    """The location, or a `Reject` for one that cannot be any."""
    if not location:
        raise refuse("bad_input", "missing; give a path or an https address")
    if len(location) > MAX_LENGTH or any(ord(char) < 32 or ord(char) == 127 for char in location):
        raise refuse("bad_input", "longer than 4096 characters, or with control characters")
    return location


def local_path(location: str, policy: MediaPolicy) -> Path:
    """The real path of a local location; raises `Reject` where it lies outside every root or is not there.

    A relative path is looked for under each root in turn.
    """
    if not policy.roots:
        raise refuse(OUTSIDE, "no folder is open to media; name some in PRECOMPUTE_MEDIA_ROOTS")
    path = Path(_without_scheme(location))
    roots = [Path(root).resolve() for root in policy.roots]
    candidates = [path] if path.is_absolute() else [root / path for root in roots]
    inside = [real for real in map(_resolve, candidates) if any(real.is_relative_to(root) for root in roots)]
    if not inside:
        raise refuse(OUTSIDE, "outside the folders of PRECOMPUTE_MEDIA_ROOTS")
    for real in inside:
        if real.exists():
            return real
    raise refuse(MISSING, "no such file")


def open_regular(path: Path) -> BinaryIO:
    """Opens a regular file and nothing else: no link, pipe or device; raises `Reject`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise refuse(MISSING, f"cannot be opened: {exc.strerror}") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise refuse(OUTSIDE, "not a regular file")
    return os.fdopen(descriptor, "rb")


def _without_scheme(location: str) -> str:
    if not location.lower().startswith("file:"):
        return location
    parts = urlsplit(location)
    if parts.netloc not in ("", "localhost"):
        raise refuse(OUTSIDE, "a file:// address of another machine")
    return unquote(parts.path)


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as exc:
        raise refuse(MISSING, "not a path") from exc
