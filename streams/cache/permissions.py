"""What each role may do in Redis: rules of ACL SETUSER, to put behind a user's name and password."""

from __future__ import annotations

from streams.cache.names import RedisNames

#: What the API keeps for itself: no other role reads keys of callers, or writes what operators did.
API_KINDS = (
    "api-keys",
    "audit",
    "batch",
    "batch-rows",
    "batches",
    "dropped",
    "lock",
    "replayed",
    "response",
)
#: What the roles share.
SHARED_KINDS = (
    "asked",
    "backplane",
    "cancelled",
    "counters",
    "done",
    "history",
    "index",
    "input",
    "invalidated",
    "lease",
    "mirror",
    "predicted-seconds",
    "predictions",
    "predictor-off",
    "quiet",
    "reads",
    "result",
    "scorecards",
    "unread",
    "units",
    "versions",
    "worker",
    "workers",
    "{floors}",
    "{ledger}",
)
#: Everything about data and none of what runs, stops or empties a server; INFO for the memory's gauge, and on
#: a cluster the look at which node has which slots.
_ROLE_COMMANDS = (
    "-@all +@read +@write +@connection +@pubsub +@scripting +@transaction -@dangerous "
    "+info +time +cluster|slots"
)
#: A reader tells what it read, for hit rates and refreshing, and hears when a missing answer arrives.
_CLIENT_KINDS = ("counters", "reads", "unread")
_CLIENT_COMMANDS = (
    "-@all +@read +@connection +@pubsub -@dangerous -publish -spublish +hincrbyfloat +expire +zadd +zrem "
    "+cluster|slots"
)


def role_rules(names: RedisNames) -> dict[str, str]:
    """By role; `client` is a program that reads answers with the Python client."""
    base = names.mirror_marker.removesuffix("mirror")
    shared = _all_of(base, SHARED_KINDS)
    return {
        "streams": f"{shared} &{base}* {_ROLE_COMMANDS}",
        "worker": f"{shared} &{base}* {_ROLE_COMMANDS}",
        "api": f"~{base}* &{base}* {_ROLE_COMMANDS}",
        "client": f"%R~{base}* {_all_of(base, _CLIENT_KINDS)} &{base}* {_CLIENT_COMMANDS}",
    }


def _all_of(base: str, kinds: tuple[str, ...]) -> str:
    return " ".join(f"~{base}{kind} ~{base}{kind}:*" for kind in kinds)
