"""Writes the list of jars that make up the local Kafka broker, with size and SHA-256 of each.

Run it after changing `VERSION` in streams/local/kafka_runtime.py, look at the difference, and commit it:

    .venv/bin/python tools/pin_kafka_jars.py

jgo works out what `org.apache.kafka:kafka_2.13` needs at run time. One jar is added: slf4j-simple in the
version of slf4j-api, without which the broker logs nothing. Each jar is compared with the SHA-1 that the
repository publishes; a difference stops the script.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from jgo.maven import MavenContext, PythonResolver

from streams.local import kafka_runtime

_TARGET = Path(kafka_runtime.__file__).with_name(f"kafka-{kafka_runtime.VERSION}.sha256")
_HEADER = f"""\
# The jars of the local Apache Kafka {kafka_runtime.VERSION}: sha256, size in bytes, Maven coordinate.
# Made by tools/pin_kafka_jars.py; every jar is checked against it before the broker starts.
"""


class _Strict(logging.Handler):
    """jgo only warns where a file does not have its published checksum."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.exit(record.getMessage())


def resolve(context: Any) -> list[Any]:
    """The artifacts of the broker and the logging binding, sorted by coordinate."""
    root = context.create_dependency(f"org.apache.kafka:kafka_2.13:{kafka_runtime.VERSION}")
    inputs, transitive = context.resolver.resolve([root])
    artifacts = [d.artifact for d in [*inputs, *transitive] if d.scope in (None, "compile", "runtime")]
    api = next(a for a in artifacts if a.artifactId == "slf4j-api")
    artifacts.append(context.create_dependency(f"org.slf4j:slf4j-simple:{api.version}").artifact)
    return sorted(artifacts, key=_coordinate)


def _coordinate(artifact: Any) -> str:
    return f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"


def main() -> None:
    logging.getLogger("jgo").addHandler(_Strict(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), local_repos=[], resolver=PythonResolver())
        lines = []
        for artifact in resolve(context):
            content = Path(artifact.resolve()).read_bytes()
            lines.append(f"{hashlib.sha256(content).hexdigest()} {len(content)} {_coordinate(artifact)}\n")
    _TARGET.write_text(_HEADER + "".join(lines))
    print(f"{_TARGET.name}: {len(lines)} jars")


if __name__ == "__main__":
    main()
