"""Java's class-data sharing: the broker's classes, parsed once, mapped at each later start.

The wheel's Java comes without the archive of its own classes, so that is made first (2 s, while the jars
download). The first broker that ends in order then leaves an archive of all its classes (its stop takes
1.5 s longer), and from then on a start takes half the time. Nothing depends on it: Java ignores an archive
that does not fit, and so do we where one cannot be made.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from streams.local.java import Java, java_environment

#: What a JVM that SIGTERM ended in order exits with: 128 + 15.
_ENDED_IN_ORDER = 143
#: Where the broker writes its archive: relative to its folder, so that a crash leaves nothing elsewhere.
_DRAFT = "classes.jsa"
#: Archives which do not fit, classes which cannot be archived: not worth lines in the broker's log.
_QUIET = "-Xlog:cds*=off,aot*=off"


class ClassArchive:
    """The archives of one Java and one set of jars, below `folder`."""

    def __init__(self, folder: Path, java: Java) -> None:
        self._folder = folder
        self._java = java

    @contextlib.contextmanager
    def making_base(self) -> Iterator[None]:
        """Makes the archive of Java's own classes, where it is missing, while the block runs."""
        base = self._base()
        if base.exists():
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = base.with_suffix(f".{os.getpid()}")
        process = subprocess.Popen(  # noqa: S603 (our own Java)
            self._java.dump_command(draft),
            env=java_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        except BaseException:
            process.kill()
            raise
        finally:
            _publish(draft, base, succeeded=process.wait() == 0)

    def flags(self) -> tuple[str, ...]:
        """For whatever runs with these jars: the archives that are there."""
        base, whole = self._base(), self._whole()
        if not base.exists():
            return ()
        shared = f"{base}{os.pathsep}{whole}" if whole.exists() else str(base)
        return (f"-XX:SharedArchiveFile={shared}", _QUIET)

    def recording_flags(self) -> tuple[str, ...]:
        """For the broker, in addition: it leaves an archive at its end, where there is none yet."""
        if self._whole().exists() or not self._base().exists():
            return ()
        return (f"-XX:ArchiveClassesAtExit={_DRAFT}",)

    def take_recording(self, folder: Path, exit_code: int | None) -> None:
        """Takes over what the broker left in its folder, if it ended in order."""
        if (folder / _DRAFT).exists():
            _publish(folder / _DRAFT, self._whole(), succeeded=exit_code == _ENDED_IN_ORDER)

    def _base(self) -> Path:
        return self._folder / f"java-{_fingerprint([self._java.modules])}.jsa"

    def _whole(self) -> Path:
        return self._folder / f"kafka-{_fingerprint([self._java.modules, *self._java.class_path])}.jsa"


def _fingerprint(paths: Sequence[Path]) -> str:
    """Of the places, sizes and times of files: what Java compares before it takes an archive."""
    facts = [(str(path), stat.st_size, stat.st_mtime_ns) for path in paths for stat in [path.stat()]]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _publish(draft: Path, target: Path, *, succeeded: bool) -> None:
    """Puts a finished archive in place of those that fit no more.

    The first one stays: the archive of Kafka's classes fits one archive of Java's classes only.
    """
    # It may exist by now, or be on another file system; then there is none of ours.
    with contextlib.suppress(OSError):
        if succeeded:
            os.link(draft, target)
            _delete_outdated(target)
    draft.unlink(missing_ok=True)


def _delete_outdated(current: Path) -> None:
    kind, _, _ = current.name.partition("-")
    for path in current.parent.glob(f"{kind}-*.jsa"):
        if path != current:
            path.unlink(missing_ok=True)
