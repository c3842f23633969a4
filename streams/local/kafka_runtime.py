"""Apache Kafka as installed below the local home: its jars, and what makes it start faster."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from streams.contracts.errors import ConfigurationError
from streams.local.artifacts import JarFolder, read_pins
from streams.local.java import Java, java_version

VERSION = "4.3.0"
_PINS = f"kafka-{VERSION}.sha256"
#: What a handful of clients needs; with the JVM's own parts the process has about 200 MB.
HEAP_MB = 256


class KafkaRuntime:
    """The jars of one Kafka version; `install` first."""

    def __init__(self, home: Path, pins: str | None = None) -> None:
        """`pins` is the text of the list of jars; None takes the one that is shipped."""
        if ":" in str(home):
            raise ConfigurationError(
                f"Java cannot have ':' in {home}; set PRECOMPUTE_LOCAL_HOME to another folder"
            )
        text = pins if pins is not None else resources.files("streams.local").joinpath(_PINS).read_text()
        self._root = home / f"kafka-{VERSION}"
        self._jars = JarFolder(self._root / "jars", read_pins(text), f"Apache Kafka {VERSION}")
        self._digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        self.java = Java(self._jars.paths, HEAP_MB)

    def install(self) -> None:
        """Downloads at the first time, checks every jar at every time."""
        self._jars.provide()

    @property
    def cache_path(self) -> Path:
        """Java's ahead-of-time cache for exactly these jars and this Java."""
        return self._root / f"java-{java_version()}-{self._digest}.aot"
