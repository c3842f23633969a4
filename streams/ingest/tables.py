"""Tables whose changelog is written once per changed key and slice."""

from __future__ import annotations

from typing import Any

import faust

from streams.ingest.output import SliceOutput


class SliceTable(faust.Table):  # type: ignore[misc]
    """Keys and values are bytes, exactly as they stand in the changelog.

    Faust would send one changelog record per write, through its own producer; here the writes of a slice
    are collected, and `emit_changelog` sends the last value of each key in the form Faust recovers from.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Faust's default is json, and a recovery that fails to decode idles with one warning.
        self.key_serializer = "raw"
        self.value_serializer = "raw"
        self._changed: dict[bytes, bytes | None] = {}

    def on_key_get(self, key: bytes) -> None:
        """Faust's sensors would count every read; nobody looks at that."""

    def on_key_set(self, key: bytes, value: bytes) -> None:
        self._changed[key] = value

    def on_key_del(self, key: bytes) -> None:
        self._changed[key] = None

    def emit_changelog(self, output: SliceOutput, partition: int) -> None:
        """Sends the changes since the last call to the changelog's partition of the events they came from."""
        changed, self._changed = self._changed, {}
        topic = self.changelog_topic.get_topic_name()
        for key, value in changed.items():
            output.send(topic, value, key, partition=partition)
