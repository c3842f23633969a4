"""What a handler may say about its job instead of returning a result."""

from __future__ import annotations

from streams.contracts.errors import PrecomputeError


class Outcome(PrecomputeError):
    """Raised inside a handler: control flow with a type, not an accident."""


class Skip(Outcome):
    """Nothing to compute; the job ends as skipped and the cache stays as it is."""


class Retry(Outcome):
    """Try again later, for a cause that heals: a rate limit, a service that is away.

    `after_s` asks for a delay in seconds; None leaves it to the retry policy.
    """

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Reject(Outcome):
    """This input will never give a result.

    The answer becomes `unavailable` with `reason` (a short word, a bounded label) and the message
    (a sentence a person understands), and the job is not tried again.
    """

    def __init__(self, message: str, *, reason: str = "rejected") -> None:
        super().__init__(message)
        self.reason = reason


class NotAvailable(Reject):
    """This installation cannot compute the task: an extra is missing, or no handler is there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="not_available")
