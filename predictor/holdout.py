"""The holdout draw, shared with whoever counts reads: see `streams.contracts.holdout`."""

from __future__ import annotations

from streams.contracts.holdout import HoldoutConfig, draw_group, holdout_unit

__all__ = ["HoldoutConfig", "draw_group", "holdout_unit"]
