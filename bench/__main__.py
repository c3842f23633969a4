"""`make bench`: every benchmark, or those named (`make bench BENCH_ARGS="line --quick"`), and the index.

An endurance run takes hours and is `make soak`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench import index

#: Runs that take hours, and are asked for by a name of their own.
APART = frozenset({"soak"})
#: Takes minutes and has no quick form: a quick run of everything keeps its last report.
NOT_QUICK = frozenset({"predictor"})
#: Has no flags.
PLAIN = frozenset({"handlers", "predictor"})


def sections() -> list[str]:
    """The folders here that can be run."""
    here = Path(__file__).parent
    return sorted({path.parent.name for path in here.glob("*/__main__.py")} - APART)


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
    took: dict[str, float] = {}
    chosen = named or [one for one in sections() if "--quick" not in flags or one not in NOT_QUICK]
    for section in chosen:
        sys.stdout.write(f"\n== {section}\n")
        sys.stdout.flush()
        began = time.monotonic()
        if subprocess.call([sys.executable, "-m", f"bench.{section}", *_arguments(section, flags)]) != 0:
            failed.append(section)
        took[section] = time.monotonic() - began
    index.write("make bench" + (f' BENCH_ARGS="{" ".join(sys.argv[1:])}"' if sys.argv[1:] else ""), took)
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def _arguments(section: str, flags: list[str]) -> list[str]:
    return [flag for flag in flags if section not in PLAIN or flag != "--quick"]


if __name__ == "__main__":
    sys.exit(main())
