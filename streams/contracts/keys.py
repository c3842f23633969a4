"""Cache keys `{task}:{entity}:{id}` and the patterns that invalidate them."""

from __future__ import annotations

import msgspec

from streams.contracts.errors import CacheKeyError
from streams.contracts.ids import is_id
from streams.contracts.tasks import TaskCatalogue

#: task, entity and id at their longest, and two colons.
MAX_KEY_LENGTH = 3 * 128 + 2


class CacheKey(msgspec.Struct, frozen=True):
    """The name of one answer: what was computed, of what."""

    task: str
    entity: str
    entity_id: str

    def __str__(self) -> str:
        return f"{self.task}:{self.entity}:{self.entity_id}"

    @classmethod
    def of(cls, task: str, entity_id: str, tasks: TaskCatalogue) -> CacheKey:
        """The key of a task's answer for an entity; the entity's kind follows from the task."""
        spec = tasks.require(task)
        if not is_id(entity_id):
            raise CacheKeyError("the id takes 1 to 128 of A-Za-z0-9._-", field="id")
        return cls(spec.name, spec.entity, entity_id)

    @classmethod
    def parse(cls, text: str, tasks: TaskCatalogue) -> CacheKey:
        """Reads `{task}:{entity}:{id}`; raises `CacheKeyError` naming the part that is wrong."""
        if len(text) > MAX_KEY_LENGTH:
            raise CacheKeyError(f"a key has at most {MAX_KEY_LENGTH} characters, this one {len(text)}")
        parts = text.split(":")
        if len(parts) != 3:
            raise CacheKeyError("a key reads task:entity:id, for example ctr_prediction:video:v42")
        task, entity, entity_id = parts
        key = cls.of(task, entity_id, tasks)
        if key.entity != entity:
            raise CacheKeyError(f"{task} belongs to a {key.entity}, not to a {entity!r}", field="entity")
        return key


class KeyPattern(msgspec.Struct, frozen=True):
    """Which keys an invalidation means; None stands for "every"."""

    task: str | None = None
    entity: str | None = None
    entity_id: str | None = None

    @property
    def is_everything(self) -> bool:
        return self == KeyPattern()

    def matches(self, key: CacheKey) -> bool:
        return (
            self.task in (None, key.task)
            and self.entity in (None, key.entity)
            and self.entity_id in (None, key.entity_id)
        )

    def exact_keys(self, tasks: TaskCatalogue) -> list[CacheKey] | None:
        """The keys it can name without looking, or None where only the store knows them."""
        if self.entity is None or self.entity_id is None:
            return None
        specs = [tasks[self.task]] if self.task is not None else tasks.of_entity(self.entity)
        return [CacheKey(spec.name, spec.entity, self.entity_id) for spec in specs]

    @classmethod
    def parse(cls, text: str, tasks: TaskCatalogue) -> KeyPattern:
        """Reads `task:*`, `task:entity:*`, `*:entity:id`, an exact key or `*`."""
        if text == "*":
            return cls()
        parts = text.split(":") if len(text) <= MAX_KEY_LENGTH else []
        if len(parts) == 2 and parts[1] == "*":
            return cls(tasks.require(parts[0]).name)
        if len(parts) == 3 and parts[0] == "*":
            return cls._of_entity(parts[1], parts[2], tasks)
        if len(parts) == 3 and parts[2] == "*":
            spec = tasks.require(parts[0])
            if spec.entity != parts[1]:
                raise CacheKeyError(f"{spec.name} belongs to a {spec.entity}", field="pattern")
            return cls(spec.name, spec.entity)
        if len(parts) == 3:
            key = CacheKey.parse(text, tasks)
            return cls(key.task, key.entity, key.entity_id)
        raise CacheKeyError(
            "a pattern is task:*, task:entity:*, *:entity:id, an exact key, or * with confirm=true",
            field="pattern",
        )

    @classmethod
    def _of_entity(cls, entity: str, entity_id: str, tasks: TaskCatalogue) -> KeyPattern:
        if not tasks.of_entity(entity):
            raise CacheKeyError(f"no task type has the entity {entity!r}", field="pattern")
        if not is_id(entity_id):
            raise CacheKeyError("the id takes 1 to 128 of A-Za-z0-9._-", field="pattern")
        return cls(None, entity, entity_id)
