"""The task types: what can be precomputed, for which entity, and how long an answer stays good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from streams.contracts.errors import CacheKeyError, ConfigurationError
from streams.contracts.ids import is_id

HOUR_S = 3600.0


class Entity(StrEnum):
    VIDEO = "video"
    CAMPAIGN = "campaign"
    USER = "user"


class PrecomputeTaskType(StrEnum):
    """The eleven built-in task types."""

    SCENE_DETECTION = "scene_detection"
    FACE_DETECTION = "face_detection"
    HOOK_ANALYSIS = "hook_analysis"
    THUMBNAIL_GENERATION = "thumbnail_generation"
    CAPTION_GENERATION = "caption_generation"
    CTR_PREDICTION = "ctr_prediction"
    VARIANT_GENERATION = "variant_generation"
    VARIANT_SCORING = "variant_scoring"
    ROAS_PREDICTION = "roas_prediction"
    DASHBOARD_DATA = "dashboard_data"
    CAMPAIGN_ANALYTICS = "campaign_analytics"


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody needs to know of a task type without importing its handler."""

    name: str
    entity: str
    ttl_s: float
    #: A job that runs longer is stopped: cancelled if it is async, its process killed if it is CPU work.
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        if not is_id(self.name) or not is_id(self.entity):
            raise ConfigurationError(
                f"task type {self.name!r} of entity {self.entity!r}: both names take 1 to 128 of A-Za-z0-9._-"
            )
        if self.ttl_s <= 0 or self.timeout_s <= 0:
            raise ConfigurationError(f"task type {self.name}: ttl_s and timeout_s must be above zero")


class TaskCatalogue(Mapping[str, TaskSpec]):
    """The task types one installation knows, built-in and its own. Immutable."""

    def __init__(self, specs: Iterable[TaskSpec]) -> None:
        known: dict[str, TaskSpec] = {}
        for spec in specs:
            if spec.name in known:
                raise ConfigurationError(
                    f"task type {spec.name} is declared twice; rename one of its handlers"
                )
            known[spec.name] = spec
        self._specs = MappingProxyType(known)

    def __getitem__(self, name: str) -> TaskSpec:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def require(self, name: str) -> TaskSpec:
        """The task type of that name, or a `CacheKeyError` that lists the known ones."""
        spec = self._specs.get(name)
        if spec is None:
            raise CacheKeyError(f"unknown task type {name!r}; known are {', '.join(self)}", field="task")
        return spec

    def of_entity(self, entity: str) -> tuple[TaskSpec, ...]:
        return tuple(spec for spec in self._specs.values() if spec.entity == entity)


def _spec(task: PrecomputeTaskType, entity: Entity, ttl_h: float, timeout_s: float = 120.0) -> TaskSpec:
    return TaskSpec(name=task.value, entity=entity.value, ttl_s=ttl_h * HOUR_S, timeout_s=timeout_s)


_T = PrecomputeTaskType

BUILTIN_TASKS = TaskCatalogue(
    [
        _spec(_T.SCENE_DETECTION, Entity.VIDEO, 24),
        _spec(_T.FACE_DETECTION, Entity.VIDEO, 24),
        _spec(_T.HOOK_ANALYSIS, Entity.VIDEO, 24),
        _spec(_T.THUMBNAIL_GENERATION, Entity.VIDEO, 24),
        _spec(_T.CAPTION_GENERATION, Entity.VIDEO, 24, timeout_s=300.0),
        _spec(_T.CTR_PREDICTION, Entity.VIDEO, 6),
        _spec(_T.VARIANT_GENERATION, Entity.CAMPAIGN, 12),
        _spec(_T.VARIANT_SCORING, Entity.CAMPAIGN, 6),
        _spec(_T.ROAS_PREDICTION, Entity.CAMPAIGN, 6),
        _spec(_T.DASHBOARD_DATA, Entity.USER, 1),
        _spec(_T.CAMPAIGN_ANALYTICS, Entity.CAMPAIGN, 1),
    ]
)

#: Seconds an answer of each built-in task type stays fresh.
CACHE_TTL: Mapping[PrecomputeTaskType, float] = MappingProxyType(
    {PrecomputeTaskType(name): spec.ttl_s for name, spec in BUILTIN_TASKS.items()}
)
