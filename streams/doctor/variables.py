"""Which variables the project reads, and which of those set nobody does."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import msgspec

from handlers.config import HandlerConfig, variable_names
from handlers.context import MediaPolicy
from streams.ops.parent import VARIABLE as PARENT
from streams.settings import PREFIX, setting_variables

#: Variables that no settings class holds, with the file that reads each.
OTHERS = {
    "PRECOMPUTE_API_URL": (
        "streams/cli/api_client.py",
        "address of the API for commands and clients; unset: PRECOMPUTE_HOST and PRECOMPUTE_PORT",
    ),
    "PRECOMPUTE_API_KEY": ("streams/cli/api_client.py", "key that commands and clients send to the API"),
    "PRECOMPUTE_LOCAL_HOME": (
        "streams/local/state.py",
        "folder of the local broker and cache; unset: `~/.cache/precompute`",
    ),
}
#: The project's own tests and tools set these; they are nobody's mistake.
_INTERNAL = (PARENT, "PRECOMPUTE_TEST_RUNTIME", "PRECOMPUTE_SCREENSHOTS")
#: How alike a name must be to be meant: one letter too many, missing or turned in a name of ten or more.
_ALIKE = 0.8


class UnknownVariable(msgspec.Struct, frozen=True):
    """A variable with our prefix that nobody reads; `meant` is the nearest one that somebody does, or ""."""

    name: str
    meant: str

    def __str__(self) -> str:
        hint = f"; did you mean {self.meant}?" if self.meant else ""
        return f"{self.name} is set, but nothing of precompute reads it{hint}"


def known_variables() -> frozenset[str]:
    """Every variable the project reads."""
    media = (f"{PREFIX}MEDIA_{name.upper()}" for name in MediaPolicy.__struct_fields__)
    own = (variable_names()[name] for name in HandlerConfig.__struct_fields__)
    return frozenset([*setting_variables(), *own, *media, *OTHERS])


def unknown_variables(environ: Mapping[str, str]) -> list[UnknownVariable]:
    """Those that begin as ours do and mean nothing, by name."""
    known = known_variables()
    strange = sorted(
        name for name in environ if name.startswith(PREFIX) and name not in known and name not in _INTERNAL
    )
    return [UnknownVariable(name, _nearest(name, known)) for name in strange]


def _nearest(name: str, known: frozenset[str]) -> str:
    """Judged by what follows the prefix, which all of them share."""
    tails = {one.removeprefix(PREFIX): one for one in known if one.startswith(PREFIX)}
    found = difflib.get_close_matches(name.removeprefix(PREFIX), tails, n=1, cutoff=_ALIKE)
    return tails[found[0]] if found else ""
