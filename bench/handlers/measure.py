"""Running the video tasks of one sample in a fresh process, as a worker's child does, and what it costs."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.resident import peak_mib
from handlers import MediaPolicy, Reject
from handlers.execution import run_handler
from handlers.local_run import local_context
from handlers.registry import load_handlers

#: In the order in which a worker computes what others need.
TASKS = (
    "scene_detection",
    "face_detection",
    "hook_analysis",
    "thumbnail_generation",
    "ctr_prediction",
    "caption_generation",
)


def measure(sample: Path, folder: Path) -> dict[str, Any]:
    """Results and costs of every video task, sharing one decode: CPU and wall seconds by task, peak MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run_all, (sample, folder))


def _run_all(sample: Path, folder: Path) -> dict[str, Any]:
    registry = load_handlers()
    media = MediaPolicy(roots=(str(sample.parent),), scratch_dir=str(folder / "scratch"))
    context = local_context(sample.stem, media=media, artifact_dir=str(folder / "artifacts"))
    payload = msgspec.json.encode({"uri": str(sample)})
    results: dict[str, Any] = {}
    costs: dict[str, Any] = {}
    for task in TASKS:
        wall, cpu = time.perf_counter(), time.process_time()
        needed = {need: results[need] for need in registry[task].needs if need in results}
        changed = msgspec.structs.replace(context, results=needed)
        try:
            results[task] = msgspec.json.decode(run_handler(registry[task], payload, changed))
        except Reject as exc:
            costs["reason"] = exc.reason
        costs[task] = {
            "cpu_s": round(time.process_time() - cpu, 3),
            "wall_s": round(time.perf_counter() - wall, 3),
        }
    return {"results": results, "costs": costs, "peak_mib": round(peak_mib())}
