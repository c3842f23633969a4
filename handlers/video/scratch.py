"""The scratch folder: downloads and surveys, shared by the child processes of one machine, bounded.

scratch/<key>.lock    held while somebody fetches or decodes; the others wait, a dead holder frees it
scratch/<key>/source  the download of a remote video
scratch/<key>/survey  the survey, as MessagePack
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from handlers.context import Context, MediaPolicy
from handlers.inputs import VideoInput
from handlers.video.location import check_location, is_remote, local_path
from handlers.video.remote import fetch
from handlers.video.survey import Survey, take_survey
from streams.contracts.errors import ConfigurationError

#: The tasks of one upload run within minutes; what is older is removed, and a remote video fetched anew.
KEEP_S = 600.0

_decode = msgspec.msgpack.Decoder(Survey)


def survey_of(video: VideoInput, context: Context) -> Survey:
    """The survey of a video, taken now or by another task of the same upload; raises `Reject` or `Retry`."""
    with _entry(video, context) as entry:
        file = entry.folder / "survey"
        with suppress(OSError, msgspec.DecodeError):
            return _decode.decode(file.read_bytes())
        survey = take_survey(entry.path, context.media)
        _write(file, msgspec.msgpack.encode(survey))
        return survey


@contextmanager
def source_of(video: VideoInput, context: Context) -> Iterator[Path]:
    """The local file of a video, held against removal while it is read."""
    with _entry(video, context) as entry:
        yield entry.path


class _Entry(msgspec.Struct, frozen=True):
    folder: Path
    path: Path


@contextmanager
def _entry(video: VideoInput, context: Context) -> Iterator[_Entry]:
    policy = context.media
    location = check_location(video.location)
    remote = is_remote(location)
    path = None if remote else local_path(location, policy)
    key = _key(location if path is None else _identity(path))
    root = _root(policy)
    with _locked(root / f"{key}.lock"):
        _tidy(root, policy, keep=key)
        folder = root / key
        folder.mkdir(mode=0o700, exist_ok=True)
        yield _Entry(folder, _fetched(location, folder, context) if path is None else path)


def _fetched(location: str, folder: Path, context: Context) -> Path:
    source = folder / "source"
    if source.exists():
        return source
    part = folder / f"source.{os.getpid()}"
    try:
        fetch(location, part, context)
        part.replace(source)
    finally:
        part.unlink(missing_ok=True)
    return source


def _identity(path: Path) -> str:
    """What a local file is called and when it last changed: another content is another survey."""
    stat = path.stat()
    return f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ino}"


def _key(identity: str) -> str:
    return hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _root(policy: MediaPolicy) -> Path:
    """The scratch folder, closed to others; raises `ConfigurationError` where it is somebody else's."""
    named = policy.scratch_dir or f"{tempfile.gettempdir()}/precompute-scratch-{os.getuid()}"
    root = Path(named)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if root.is_symlink() or root.stat().st_uid != os.getuid():
        raise ConfigurationError(f"scratch folder {root} belongs to somebody else; name another")
    return root


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _tidy(root: Path, policy: MediaPolicy, *, keep: str) -> None:
    """Removes entries that are old, then the oldest beyond the size, except those somebody holds."""
    entries = []
    for folder in root.iterdir():
        if folder.is_dir():
            with suppress(OSError):
                size = sum(file.stat().st_size for file in folder.iterdir())
                entries.append((folder.stat().st_mtime, size, folder))
    total = sum(size for _, size, _ in entries)
    for changed, size, folder in sorted(entries):
        expired = time.time() - changed > KEEP_S
        if (expired or total > policy.max_scratch_bytes) and (folder.name != keep or expired):
            total -= size if _remove(folder, held=folder.name == keep) else 0


def _remove(folder: Path, *, held: bool) -> bool:
    """Removes an entry unless another process works on it. The lock file stays: its name is its identity."""
    if held:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    descriptor = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _write(file: Path, data: bytes) -> None:
    part = file.with_suffix(f".{os.getpid()}")
    part.write_bytes(data)
    part.replace(file)
