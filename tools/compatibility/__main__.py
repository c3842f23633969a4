"""`python -m tools.compatibility`: compares the schemas with those last agreed on; exit 1 where one breaks.

`--accept` agrees on the present ones where nothing breaks, `--accept-breaking` where something does and is
meant.
"""

from __future__ import annotations

import shutil
import sys

from tools.compatibility.baseline import (
    FOLDER,
    additions,
    breaking_changes,
    closed_schemas,
    read_baseline,
    write_baseline,
)

_FLAGS: tuple[list[str], ...] = ([], ["--accept"], ["--accept-breaking"])


def main(arguments: list[str]) -> int:
    if arguments not in _FLAGS:
        print("usage: python -m tools.compatibility [--accept | --accept-breaking]", file=sys.stderr)
        return 2
    old, new = read_baseline(), closed_schemas()
    broken = breaking_changes(old, new)
    for line in broken:
        print(f"breaks: {line}")
    for name in additions(old, new):
        print(f"differs: {name}")
    if broken and arguments != ["--accept-breaking"]:
        return 1
    if arguments:
        shutil.rmtree(FOLDER, ignore_errors=True)
        write_baseline(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
