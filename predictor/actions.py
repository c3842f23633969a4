"""What users of the platform do, and which task types answer it: one registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.ids import is_id
from streams.contracts.tasks import BUILTIN_TASKS, Entity, PrecomputeTaskType, TaskCatalogue


class ActionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An action and the answers a user who takes it will wait for.

    `entity` is what the action is about; `tasks` may be empty: worth predicting, nothing to compute.
    """

    name: str
    entity: str
    tasks: tuple[str, ...] = ()
    description: str = ""


class ActionRegistry(Mapping[str, ActionSpec]):
    """The known actions. Unknown ones are learned from, but start no job. Immutable."""

    def __init__(self, specs: Iterable[ActionSpec], *, tasks: TaskCatalogue = BUILTIN_TASKS) -> None:
        known: dict[str, ActionSpec] = {}
        for spec in specs:
            _check(spec, known, tasks)
            known[spec.name] = spec
        self._specs = MappingProxyType(known)

    def __getitem__(self, name: str) -> ActionSpec:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


def _check(spec: ActionSpec, known: Mapping[str, ActionSpec], tasks: TaskCatalogue) -> None:
    if not is_id(spec.name):
        raise ConfigurationError(f"action {spec.name!r}: a name takes 1 to 128 of A-Za-z0-9._-")
    if spec.name in known:
        raise ConfigurationError(f"action {spec.name} is declared twice; rename one of them")
    for task in spec.tasks:
        if task not in tasks:
            raise ConfigurationError(f"action {spec.name}: no task type {task!r}; known: {', '.join(tasks)}")
        if tasks[task].entity != spec.entity:
            raise ConfigurationError(
                f"action {spec.name} is about a {spec.entity}, but {task} belongs to a {tasks[task].entity}"
            )


def _spec(name: str, entity: Entity, description: str, *tasks: PrecomputeTaskType) -> ActionSpec:
    names = tuple(task.value for task in tasks)
    return ActionSpec(name=name, entity=entity.value, tasks=names, description=description)


_T = PrecomputeTaskType

BUILTIN_ACTIONS = ActionRegistry(
    [
        _spec("view_dashboard", Entity.USER, "opens the dashboard", _T.DASHBOARD_DATA),
        _spec("view_campaign_analytics", Entity.CAMPAIGN, "reads how a campaign does", _T.CAMPAIGN_ANALYTICS),
        _spec(
            "view_video_analysis",
            Entity.VIDEO,
            "opens the analysis of a video",
            _T.SCENE_DETECTION,
            _T.FACE_DETECTION,
        ),
        _spec("view_thumbnails", Entity.VIDEO, "looks at the thumbnails", _T.THUMBNAIL_GENERATION),
        _spec("view_captions", Entity.VIDEO, "reads the captions", _T.CAPTION_GENERATION),
        _spec("view_hook", Entity.VIDEO, "looks at the first seconds' rating", _T.HOOK_ANALYSIS),
        _spec("generate_variants", Entity.CAMPAIGN, "asks for variants of a text", _T.VARIANT_GENERATION),
        _spec("view_variants", Entity.CAMPAIGN, "compares the variants' scores", _T.VARIANT_SCORING),
        _spec("view_roas", Entity.CAMPAIGN, "reads the expected return", _T.ROAS_PREDICTION),
        _spec("view_ctr", Entity.VIDEO, "reads the expected click rate", _T.CTR_PREDICTION),
        _spec("upload_video", Entity.VIDEO, "uploads a video"),
        _spec("create_campaign", Entity.CAMPAIGN, "creates a campaign"),
        _spec("edit_campaign", Entity.CAMPAIGN, "changes a campaign"),
        _spec("export_report", Entity.CAMPAIGN, "exports a report", _T.CAMPAIGN_ANALYTICS),
    ]
)
