"""`make bench`: every benchmark, or those named: `make bench BENCH_ARGS="line --quick"`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def sections() -> list[str]:
    """The folders here that can be run."""
    here = Path(__file__).parent
    return sorted(path.parent.name for path in here.glob("*/__main__.py"))


def main() -> int:
    flags = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    named = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    unknown = set(named) - set(sections())
    if unknown:
        sys.stderr.write(
            f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(sections())}\n"
        )
        return 2
    failed = []
    for section in named or sections():
        sys.stdout.write(f"\n== {section}\n")
        sys.stdout.flush()
        if subprocess.call([sys.executable, "-m", f"bench.{section}", *flags]) != 0:
            failed.append(section)
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
