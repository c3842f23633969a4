"""What computes: the handlers with their libraries, and the model that predicts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handlers.context import load_media_policy
from handlers.registry import load_handlers
from streams.contracts.errors import PrecomputeError
from streams.doctor.findings import Notes
from streams.settings import Settings


class HandlersLook:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __call__(self, notes: Notes) -> None:
        registry = load_handlers(self._settings.handler_modules)
        load_media_policy(os.environ)
        ready = []
        for task in registry.catalogue:
            found = registry.get(task)
            lacking = found.missing_modules() if found is not None else []
            if found is None:
                notes.warn(task, "no handler", "name a module that has one in PRECOMPUTE_HANDLER_MODULES")
            elif lacking:
                notes.warn(
                    task,
                    f"its handler needs {', '.join(lacking)}",
                    f"pip install 'precompute[{found.extra}]' where workers run",
                )
            else:
                ready.append(task)
        if ready:
            notes.ok("ready", ", ".join(ready))


class ModelLook:
    def __init__(self, settings: Settings) -> None:
        self._store = settings.model_store
        self._predicts = settings.predictor

    async def __call__(self, notes: Notes) -> None:
        if not self._predicts:
            notes.warn(
                "predictor", "off by PRECOMPUTE_PREDICTOR=false", "unset it to precompute what is predicted"
            )
        try:
            from predictor.registry import Registry  # noqa: PLC0415 (needs the extra `forest`)
        except ImportError as exc:
            notes.warn(
                "libraries",
                f"the n-gram predicts alone ({exc.name} is not installed)",
                "pip install 'precompute[forest]' where streams run",
            )
            return
        if self._store is None:
            notes.ok("store", "none: the bundled model, trained on synthetic users, predicts")
            return
        await asyncio.to_thread(_current, notes, Registry, self._store)


def _current(notes: Notes, open_registry: Callable[[str], Any], store: str) -> None:
    if "://" not in store and not Path(store).is_dir():
        notes.fail("store", f"{store} is no folder", "make it, or correct PRECOMPUTE_MODEL_STORE")
        return
    try:
        registry = open_registry(store)
        current = registry.current()
        if current is None:
            notes.warn(
                "current",
                f"{store} has no promoted version: the bundled model predicts",
                "run `precompute predictor train` and `precompute predictor promote`",
            )
            return
        registry.load(current.version)
    except PrecomputeError as exc:
        notes.fail("current", str(exc), "promote another version: `precompute predictor show` has them")
    else:
        notes.ok("current", f"version {current.version} loads")
