"""Which video, which campaign: a predicted action becomes tasks of concrete entities."""

from __future__ import annotations

import msgspec

from predictor.actions import ActionSpec
from predictor.history import History
from streams.contracts.errors import ConfigurationError
from streams.contracts.tasks import Entity


class EntityConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a user's recent entities are weighed against each other."""

    #: Actions after which a mention of an entity counts half; sessions return to what is at hand.
    half_life: float = 3.0
    #: Share kept for an entity the user has not touched lately; nothing can be computed for it.
    unseen: float = 0.1
    #: Less likely candidates than this are not worth naming.
    min_share: float = 0.05

    def __post_init__(self) -> None:
        if self.half_life <= 0 or not 0 <= self.unseen < 1 or not 0 <= self.min_share < 1:
            raise ConfigurationError("half_life is above 0, unseen and min_share are 0 up to 1")


class Candidate(msgspec.Struct, frozen=True):
    """One job a predicted action may need, and how likely its answer is asked for next."""

    task: str
    entity: str
    entity_id: str
    probability: float


_DEFAULT = EntityConfig()


def rank_entities(history: History, entity: str, config: EntityConfig = _DEFAULT) -> list[tuple[str, float]]:
    """(id, share) of the user's entities of a kind, likeliest first.

    A mention `k` actions ago weighs 2^(-k / half_life), so recency and frequency both count;
    the shares sum to 1 - unseen. A user is always itself, with a share of 1.
    """
    if entity == Entity.USER:
        return [(history.user_id, 1.0)]
    weights: dict[str, float] = {}
    for age, action in enumerate(reversed(history.actions)):
        if action.entity == entity and action.entity_id is not None:
            weight = 2.0 ** (-age / config.half_life)
            weights[action.entity_id] = weights.get(action.entity_id, 0.0) + weight
    scale = (1.0 - config.unseen) / sum(weights.values()) if weights else 0.0
    ranked = sorted(((key, weight * scale) for key, weight in weights.items()), key=lambda pair: -pair[1])
    return [(key, share) for key, share in ranked if share >= config.min_share]


def resolve(
    spec: ActionSpec, probability: float, history: History, config: EntityConfig = _DEFAULT
) -> list[Candidate]:
    """Every task that answers the action, for every entity it may be about, likeliest first."""
    return [
        Candidate(task, spec.entity, entity_id, probability * share)
        for entity_id, share in rank_entities(history, spec.entity, config)
        for task in spec.tasks
    ]
