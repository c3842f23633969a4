"""The version, from the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("precompute")
except PackageNotFoundError:
    VERSION = "0.0.0+source"
