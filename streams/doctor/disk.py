"""The folders that roles write to: there or makeable, writable, with room."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from streams.doctor.findings import Notes
from streams.settings import Settings

GIB = 1024**3
#: A file system below this fails at the next burst of thumbnails or table writes.
_LEAST_FREE = GIB // 4
_LITTLE_FREE = 2 * GIB


class DiskLook:
    def __init__(self, settings: Settings) -> None:
        self._folders = {
            "PRECOMPUTE_DATA_DIR": settings.data_dir,
            "PRECOMPUTE_ARTIFACT_DIR": settings.artifact_dir,
        }

    async def __call__(self, notes: Notes) -> None:
        for variable, folder in self._folders.items():
            _folder(notes, variable, folder.absolute())


def _folder(notes: Notes, variable: str, folder: Path) -> None:
    place = folder
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        notes.fail(variable, f"{place} is no folder", f"correct {variable}")
    elif not os.access(place, os.W_OK):
        notes.fail(variable, f"{place} cannot be written to", f"let this user write there, or set {variable}")
    else:
        _room(notes, variable, folder, shutil.disk_usage(place).free)


def _room(notes: Notes, variable: str, folder: Path, free: int) -> None:
    seen = f"{folder}: {free / GIB:.1f} GiB free"
    if free < _LEAST_FREE:
        notes.fail(variable, seen, "free some, or name a folder elsewhere")
    elif free < _LITTLE_FREE:
        notes.warn(variable, seen, "free some, or name a folder elsewhere")
    else:
        notes.ok(variable, seen)
