"""Reads answers straight from Redis, in any process: `from streams.client import Precompute`.

Needs redis, msgspec and zstandard, nothing else of this project's dependencies.
"""

from streams.client.client import Precompute
from streams.client.config import ClientConfig
from streams.client.fake import FakePrecompute
from streams.client.resolving import Wishes
from streams.client.result import Result, ResultState
from streams.client.sync import PrecomputeSync
from streams.contracts.errors import CacheKeyError, ConfigurationError, PrecomputeError, UnavailableError

__all__ = [
    "CacheKeyError",
    "ClientConfig",
    "ConfigurationError",
    "FakePrecompute",
    "Precompute",
    "PrecomputeError",
    "PrecomputeSync",
    "Result",
    "ResultState",
    "UnavailableError",
    "Wishes",
]
