"""Apache Kafka as installed below the local home: its jars, and what makes it start faster."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from streams.contracts.errors import ConfigurationError
from streams.local.artifacts import JarFolder, read_pins
from streams.local.class_archive import ClassArchive
from streams.local.java import Java

VERSION = "4.3.0"
_PINS = f"kafka-{VERSION}.sha256"
#: What a handful of clients needs; with the JVM's own parts the process has about 200 MB.
_HEAP_MB = 256


class KafkaRuntime:
    """The jars of one Kafka version with a Java to run them; `install` first."""

    def __init__(self, home: Path, pins: str | None = None) -> None:
        """`pins` is the text of the list of jars; None takes the one that is shipped."""
        if ":" in str(home):
            raise ConfigurationError(
                f"Java cannot read below {home}; set PRECOMPUTE_LOCAL_HOME to a path without ':'"
            )
        text = pins if pins is not None else resources.files("streams.local").joinpath(_PINS).read_text()
        root = home / f"kafka-{VERSION}"
        self._jars = JarFolder(root / "jars", read_pins(text), f"Apache Kafka {VERSION}")
        self.java = Java(self._jars.paths, _HEAP_MB)
        self.archive = ClassArchive(root, self.java)

    def install(self) -> None:
        """Downloads at the first time, checks every jar at every time."""
        with self.archive.making_base():
            self._jars.provide()
