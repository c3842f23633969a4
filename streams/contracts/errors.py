"""The error tree. Each message tells its reader what is wrong and what to do next.

PrecomputeError
├── ConfigurationError      the start stops: a setting, a topic, a handler is wrong
├── UnavailableError        a server does not answer: wait and try again
├── ContractError           somebody's input is wrong; `field` names where
│   ├── EventError          an event, with the dead letter's `reason`
│   ├── JobError            a job record
│   ├── CacheKeyError       a cache key or a pattern
│   └── StateError          a job's transition that the life cycle does not have
└── Outcome                 a handler's typed word about its job (outcomes.py)
"""

from __future__ import annotations


class PrecomputeError(Exception):
    """The root: `except PrecomputeError` catches everything this project raises on purpose."""


class ConfigurationError(PrecomputeError):
    """A setting, a topic or a handler is wrong; the process must not start."""


class UnavailableError(PrecomputeError):
    """A server we depend on does not answer; the same call may succeed later."""


class ContractError(PrecomputeError):
    """Input that does not keep the contract.

    `field` is the dotted path of the offending value, or "" where the whole input is meant.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class EventError(ContractError):
    """An event that goes to the dead-letter topic; `reason` is its bounded metric label."""

    def __init__(self, message: str, *, reason: str, field: str = "") -> None:
        super().__init__(message, field=field)
        self.reason = reason


class JobError(ContractError):
    """A record of a job topic that is not a job."""


class CacheKeyError(ContractError):
    """A cache key or an invalidation pattern of the wrong shape."""


class StateError(ContractError):
    """A transition that the job's life cycle does not have."""
