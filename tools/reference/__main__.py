"""`python -m tools.reference`: writes docs/reference/ anew; `--check` only says what is stale."""

from __future__ import annotations

import sys

from tools.reference.pages import stale, write


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        found = stale()
        for name in found:
            print(f"docs/reference/{name} is stale; run `python -m tools.reference`")
        return 1 if found else 0
    if sys.argv[1:]:
        print("usage: python -m tools.reference [--check]", file=sys.stderr)
        return 2
    for name in write():
        print(f"docs/reference/{name}")
    return 0


sys.exit(main())
