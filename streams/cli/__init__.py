"""The `precompute` command: data on stdout, logs on stderr, exit 0 done, 1 failed, 2 wrong use."""

from streams.cli.main import main

__all__ = ["main"]
