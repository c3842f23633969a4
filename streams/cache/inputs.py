"""What streams mirrors into Redis for readers: inputs of entities, histories, predictions.

All of it can be written again from the streams role's table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import redis.asyncio as aioredis

from streams.cache.connection import AWAY
from streams.cache.link import get_all
from streams.cache.names import RedisNames
from streams.contracts.errors import UnavailableError
from streams.contracts.history import Action


class EntityInput(msgspec.Struct, frozen=True, kw_only=True):
    """What an entity's answers are computed from: the data of its latest event."""

    user_id: str
    payload: msgspec.Raw
    input_version: int


class PredictedAction(msgspec.Struct, frozen=True, kw_only=True):
    """One predicted action and what was decided about it."""

    action: str
    probability: float
    confidence: float
    acted_on: bool
    why_not: str | None = None
    keys: tuple[str, ...] = ()


class UserPredictions(msgspec.Struct, frozen=True, kw_only=True):
    user_id: str
    predictions: tuple[PredictedAction, ...]
    predicted_at: int
    model_version: str


#: The predictions for a user nobody has seen: what the prior says.
NOBODY = ""


class MirrorReader:
    """Reads what streams mirrored; raises `UnavailableError` where Redis does not answer."""

    def __init__(self, redis: aioredis.Redis, names: RedisNames) -> None:
        self._redis = redis
        self._names = names

    async def input(self, entity: str, entity_id: str) -> EntityInput | None:
        data = await self._get(self._names.input(entity, entity_id))
        return msgspec.json.decode(data, type=EntityInput) if data else None

    async def inputs(self, entity: str, ids: Sequence[str]) -> list[EntityInput | None]:
        return await self.inputs_of([(entity, one) for one in ids])

    async def inputs_of(self, entities: Sequence[tuple[str, str]]) -> list[EntityInput | None]:
        """The input of each (entity, id): one round trip."""
        if not entities:
            return []
        try:
            names = [self._names.input(entity, one) for entity, one in entities]
            found = await get_all(self._redis, names)
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
        return [msgspec.json.decode(data, type=EntityInput) if data else None for data in found]

    async def history(self, user_id: str) -> list[Action]:
        data = await self._get(self._names.history(user_id))
        return msgspec.msgpack.decode(data, type=list[Action]) if data else []

    async def predictions(self, user_id: str) -> UserPredictions | None:
        """The user's latest predictions; those of the prior for a user nobody has seen."""
        data = await self._get(self._names.predictions(user_id))
        if data is None and user_id != NOBODY:
            data = await self._get(self._names.predictions(NOBODY))
        return msgspec.json.decode(data, type=UserPredictions) if data else None

    async def _get(self, name: str) -> Any:
        try:
            return await self._redis.get(name)
        except AWAY as exc:
            raise UnavailableError(f"the cache does not answer: {exc}") from exc
