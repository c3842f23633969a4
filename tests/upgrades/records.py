"""Fixtures as JSON files: bytes as text where they are text, and what they meant to who wrote them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"

#: Text, or {"base64": ...} for what is none.
Packed = str | dict[str, str]


def versions() -> list[Path]:
    """A folder for each version that has fixtures, the oldest first."""
    return sorted(FIXTURES.iterdir(), key=lambda folder: [int(part) for part in folder.name.split(".")])


def pack(data: bytes) -> Packed:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    return text


def unpack(packed: Packed) -> bytes:
    return packed.encode() if isinstance(packed, str) else base64.b64decode(packed["base64"])


def write(folder: Path, name: str, value: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def differences(meant: Any, read_as: Any, where: str = "") -> list[str]:
    """Where what is read today is not what was meant; fields that are new today are no difference."""
    if isinstance(meant, Mapping):
        if not isinstance(read_as, Mapping):
            return [f"{where}: {read_as!r} is no object"]
        return [
            found
            for name, value in meant.items()
            for found in (
                differences(value, read_as[name], f"{where}.{name}")
                if name in read_as
                else [f"{where}.{name} is gone"]
            )
        ]
    return [] if meant == read_as else [f"{where}: was {meant!r}, is {read_as!r}"]
