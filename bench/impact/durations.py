"""How long an answer takes, on a core or waiting for somebody else's, and what it costs.

The tasks of a video take what `docs/benchmarks/handlers.json` measured, one of its samples for each video;
there an upload's six tasks together are 1.6 to 5.2 s. Models take what `capacity.json` measured. The rest
takes what the platform says.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import msgspec

from bench.published import figure
from bench.report import FOLDER
from streams.contracts.tasks import PrecomputeTaskType as Task

#: Seconds the platform says a generation of variants takes; nearly all of it waits for a model's provider.
VARIANTS_S = (10.0, 15.0)
#: Seconds the platform says a dashboard takes: a query over millions of rows, on a core.
QUERY_S = (2.0, 3.0)
#: Seconds the platform says a video takes; a sensitivity gives them to each of its tasks alone.
VIDEO_S = (2.0, 5.0)
#: Measured in `docs/benchmarks/capacity.json`: models that are fitted or asked on this machine.
_MODELS = (Task.ROAS_PREDICTION, Task.VARIANT_SCORING)
_QUERIES = frozenset({Task.DASHBOARD_DATA, Task.CAMPAIGN_ANALYTICS})
#: What `handlers` declares: a task's answer is computed from these of the same entity.
NEEDS: dict[str, tuple[str, ...]] = {
    Task.CTR_PREDICTION: (Task.HOOK_ANALYSIS, Task.FACE_DETECTION, Task.SCENE_DETECTION),
    Task.HOOK_ANALYSIS: (Task.FACE_DETECTION,),
    Task.THUMBNAIL_GENERATION: (Task.FACE_DETECTION,),
    Task.VARIANT_SCORING: (Task.VARIANT_GENERATION,),
}


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars: list prices of the size of what clouds and model providers ask; the ratios matter."""

    #: A core of a general-purpose machine for an hour.
    core_hour: float = 0.05
    #: About 1,500 tokens in and 1,000 out of a small model.
    generation: float = 0.01


class Demand(msgspec.Struct, frozen=True):
    """Seconds on a core, then seconds of waiting for somebody else."""

    cpu_s: float
    wait_s: float


class Durations:
    """Drawn anew for each computation of an answer, the same in every world; a video's for the video."""

    def __init__(self, seed: int, *, platform_video: bool = False, scale: float = 1.0) -> None:
        samples = json.loads((FOLDER / "handlers.json").read_text())["samples"]
        self._samples = [
            {task: cost["cpu_s"] for task, cost in one["costs"].items()} for one in samples.values()
        ]
        self._models = {
            task: figure("capacity", "cpu_s", part="Handlers", task=task.value) for task in _MODELS
        }
        self._seed = seed
        self._computed: Counter[str] = Counter()
        self._platform_video = platform_video
        self._scale = scale

    def of(self, task: str, entity_id: str) -> Demand:
        found = self._of(task, entity_id)
        return Demand(found.cpu_s * self._scale, found.wait_s * self._scale)

    def _of(self, task: str, entity_id: str) -> Demand:
        if task == Task.VARIANT_GENERATION:
            return Demand(0.0, self._uniform(task, entity_id, VARIANTS_S))
        if task in _QUERIES:
            return Demand(self._uniform(task, entity_id, QUERY_S), 0.0)
        if task in self._models:
            return Demand(self._models[task], 0.0)
        if self._platform_video and task != Task.CTR_PREDICTION:
            return Demand(self._uniform(task, entity_id, VIDEO_S), 0.0)
        sample = self._samples[int(_share(entity_id.partition("~")[0]) * len(self._samples))]
        return Demand(sample[task], 0.0)

    def _uniform(self, task: str, entity_id: str, bounds: tuple[float, float]) -> float:
        name = f"{self._seed}/{task}/{entity_id}"
        self._computed[name] += 1
        low, high = bounds
        return low + (high - low) * _share(f"{name}/{self._computed[name]}")


def _share(name: str) -> float:
    """0 up to 1, uniform over names, the same in every process."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest()) / 2**48
