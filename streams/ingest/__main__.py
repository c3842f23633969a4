"""`python -m streams.ingest LEVEL`: the streams role, as `precompute streams` starts it."""

from __future__ import annotations

import sys

import uvloop
from faust.cli.faust import cli

from streams.ops.parent import follow_parent


def main() -> None:
    """Runs what `faust -A streams.app worker` runs, on uvloop and without Faust's web server."""
    follow_parent()
    uvloop.install()
    sys.argv = ["faust", "-A", "streams.app", "worker", "--loglevel", sys.argv[1], "--without-web"]
    cli()


if __name__ == "__main__":
    main()
