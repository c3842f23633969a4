"""Who is held out: a salted hash of the unit, so that every process draws the same group."""

from __future__ import annotations

import hashlib

import msgspec

from streams.contracts.errors import ConfigurationError
from streams.contracts.jobs import Group
from streams.contracts.tasks import Entity


class HoldoutConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`salt` is versioned: a new one draws a new group, and measurements of two salts never mix."""

    fraction: float = 0.05
    salt: str = "v1"

    def __post_init__(self) -> None:
        if not 0.0 <= self.fraction <= 0.5:
            raise ConfigurationError(f"the holdout fraction is 0 to 0.5, not {self.fraction}")
        if not self.salt:
            raise ConfigurationError("the holdout salt is empty; give it a version, for example v1")


def draw_group(unit: str, config: HoldoutConfig) -> Group:
    """The group of a unit: held out iff hash64(salt, unit) / 2^64 < fraction."""
    digest = hashlib.blake2b(f"{config.salt}\0{unit}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest) / 2**64
    return Group.HOLDOUT if share < config.fraction else Group.TREATMENT


def holdout_unit(entity: str, entity_id: str, user_id: str) -> str:
    """What the group is drawn by: the user for answers only that user reads, else the entity.

    Otherwise the treatment group would warm the answers that the held-out one reads.
    """
    return f"user:{user_id}" if entity == Entity.USER else f"{entity}:{entity_id}"
