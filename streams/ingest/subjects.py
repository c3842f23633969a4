"""Which entity a predicted action is about: the user's likeliest one whose input is known."""

from __future__ import annotations

import msgspec

from predictor.entities import rank_entities
from predictor.history import History
from streams.ingest.state import InputRow, Inputs


class Subject(msgspec.Struct, frozen=True):
    """An entity, the share of the action's probability that falls on it, and what is computed from."""

    entity: str
    entity_id: str
    share: float
    row: InputRow

    def key(self, task: str) -> str:
        return f"{task}:{self.entity}:{self.entity_id}"


class Subjects:
    """The subjects of one user's predictions; each kind of entity is ranked once."""

    def __init__(self, history: History, inputs: Inputs) -> None:
        self._history = history
        self._inputs = inputs
        self._found: dict[str, Subject | None] = {}

    def of(self, entity: str) -> Subject | None:
        """None where nothing of that kind can be computed."""
        if entity not in self._found:
            self._found[entity] = self._look_for(entity)
        return self._found[entity]

    def _look_for(self, entity: str) -> Subject | None:
        for entity_id, share in rank_entities(self._history, entity):
            row = self._inputs.get(entity, entity_id)
            if row is not None:
                return Subject(entity, entity_id, share, row)
        return None
