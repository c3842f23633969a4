"""Whether users have changed: a rise of the log-loss asks for another training."""

from __future__ import annotations

import structlog

from predictor.drift import Adwin
from streams.contracts.clock import Clock, millis
from streams.ops.metrics import PREDICTOR_DRIFTS, TRAINING_WANTED

_log = structlog.get_logger(__name__)


class DriftWatch:
    """ADWIN over the losses of the model that serves; another version begins anew.

    Asks for training and never promotes anything: ADWIN fires often.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._version = ""
        self._adwin = Adwin()
        #: Since when the model predicts worse than before (ms), or None.
        self.training_wanted_since: int | None = None

    @property
    def drifts(self) -> int:
        """Changes for better or worse since this version serves."""
        return self._adwin.detections

    def add(self, version: str, loss: float) -> None:
        """Takes in the log-loss of one scored prediction, in nats."""
        if version != self._version:
            self._begin(version)
        before = self._adwin.mean
        if not self._adwin.add(loss):
            return
        PREDICTOR_DRIFTS.inc()
        after = self._adwin.mean
        if after > before and self.training_wanted_since is None:
            self.training_wanted_since = millis(self._clock.now())
            TRAINING_WANTED.set(1)
            _log.warning(
                "users do other things than the model expects; train it again: precompute predictor train",
                version=version,
                log_loss_before=round(before, 3),
                log_loss_now=round(after, 3),
            )

    def _begin(self, version: str) -> None:
        self._version = version
        self._adwin = Adwin()
        self.training_wanted_since = None
        TRAINING_WANTED.set(0)
