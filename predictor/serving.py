"""The model in use: loaded from the store, replaced while it serves, never without an answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from predictor.history import Action, History
from predictor.model import Model, Prediction
from predictor.ngram import Ngram
from predictor.prior import synthetic_ngram
from streams.contracts.errors import ConfigurationError, ContractError, UnavailableError

log = logging.getLogger(__name__)


class ServingModel:
    """A `Model` that can be exchanged under its callers.

    `prepare` looks for a newer version and loads it: slow, fit for another thread, touches nothing that
    serves. `swap` puts it in place with the users' recent actions: call it where events are handled, so that
    none is lost between the two.
    """

    def __init__(self, store: str | Path | None) -> None:
        self._store = store
        self._model: Model = _initial_model()
        self._refused: str | None = None
        self._complaint = ""

    @property
    def version(self) -> str:
        return self._model.version

    @property
    def model(self) -> Model:
        """What serves now: a blend, or the n-gram where the extra `forest` is not installed."""
        return self._model

    def predict(self, history: History, now_ms: int) -> Prediction:
        return self._model.predict(history, now_ms)

    def predict_many(self, histories: Sequence[History], now_ms: int) -> list[Prediction]:
        return self._model.predict_many(histories, now_ms)

    def observe(self, history: History, action: Action) -> None:
        self._model.observe(history, action)

    def prepare(self) -> Model | None:
        """The version that was promoted since, loaded, or None; what stands against it is logged once."""
        if self._store is None:
            return None
        try:
            from predictor.registry import Registry  # noqa: PLC0415 - needs the extra `forest`

            registry = Registry(self._store)
            current = registry.current()
            self._complaint = ""
            if current is None or current.version in (self.version, self._refused):
                return None
            try:
                return registry.load(current.version)[0]
            except ContractError:
                self._refused = current.version
                raise
        except (ContractError, ConfigurationError, UnavailableError, ImportError) as exc:
            if str(exc) != self._complaint:
                log.warning("the predictor keeps version %s: %s", self.version, exc)
            self._complaint = str(exc)
            return None

    def swap(self, model: Model) -> str:
        """Lets `model` serve, with the users' windows of the one before; returns its version."""
        _hand_over_users(self._model, model)
        self._model = model
        return model.version


def _initial_model() -> Model:
    try:
        from predictor.bundled import load_bundled  # noqa: PLC0415 - needs the extra `forest`

        return load_bundled()[0]
    except (ConfigurationError, ImportError):
        log.info("without the extra `forest` the n-gram predicts alone")
        return synthetic_ngram()


def _hand_over_users(old: Model, new: Model) -> None:
    source = old if isinstance(old, Ngram) else getattr(old, "state", None)
    target = new if isinstance(new, Ngram) else getattr(new, "state", None)
    if source is not None and target is not None:
        target.adopt_users(source)
