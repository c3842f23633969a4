"""One module per computed result. Imports `streams.contracts` and nothing else of the project."""

from handlers.context import Context, MediaPolicy
from handlers.contract import EventDeclaration, Handler, handler
from streams.contracts.history import Action
from streams.contracts.outcomes import NotAvailable, Reject, Retry, Skip

__all__ = [
    "Action",
    "Context",
    "EventDeclaration",
    "Handler",
    "MediaPolicy",
    "NotAvailable",
    "Reject",
    "Retry",
    "Skip",
    "handler",
]
