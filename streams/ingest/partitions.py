"""Which partition a key belongs on, by the partitioner everybody here uses."""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Java, KafkaJS and aiokafka choose for a key (murmur2, sign bit cleared)."""
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions
