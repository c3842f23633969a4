"""The Faust application for `faust -A streams.app worker -l info`; `precompute streams` is the same."""

from __future__ import annotations

from streams.ingest.app import build_app
from streams.settings import load_settings

app = build_app(load_settings())
