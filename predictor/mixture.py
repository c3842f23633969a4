"""Logarithmic pooling: weights of opinions, fitted by maximum likelihood.

p(a) is proportional to exp(sum_e w_e log p_e(a) + bias_a). With one opinion this is temperature scaling
(Guo et al., "On calibration of modern neural networks", 2017): w = 1 / temperature.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from predictor.experts import Floats
from streams.contracts.errors import ContractError

#: Weight of the squared parameters in the loss: keeps the fit determined where opinions agree.
RIDGE = 1e-4
_MAX_ITERATIONS = 100
#: By what the ridge grows, and how often.
_STEP, _MAX_STEPS = 3.0, 16
#: Most that the absolute weights of a pool may sum to, and that a bias may be. Log weights of counts lie
#: within 18 of 0, and exp(18 x 4 + 10) is still a float32.
MAX_WEIGHT, MAX_BIAS = 4.0, 10.0


class Pool(NamedTuple):
    """`weights` [opinions] and `bias` [outcomes]."""

    weights: Floats
    bias: Floats

    def is_bounded(self) -> bool:
        """Whether no exponential of what it weighs can overflow; false for what is not finite, too."""
        weights, bias = np.abs(self.weights).sum(), np.abs(self.bias).max(initial=0.0)
        return bool(weights <= MAX_WEIGHT and bias <= MAX_BIAS)


def pool_logs(logs: Floats, pool: Pool) -> Floats:
    """Log-probabilities [n, outcomes] of the pooled opinions `logs` [opinions, n, outcomes]."""
    return normalize(weigh(logs, pool.weights) + pool.bias)


def weigh(logs: Floats, weights: Floats) -> Floats:
    """The sum over opinions of `weights` [..., opinions] times `logs` [opinions, n, outcomes]."""
    opinions, n, outcomes = logs.shape
    weighed: Floats = weights.dot(logs.reshape(opinions, n * outcomes))
    return weighed.reshape((*weights.shape[:-1], n, outcomes))


def normalize(scores: Floats) -> Floats:
    """Turns log weights [n, outcomes] into log-probabilities, in place and without looking for a maximum.

    That of a bounded pool needs none: no exponential overflows.
    """
    sums = np.exp(scores).dot(_ones(scores.shape[1]))
    # For a single row the logarithm of a number, which spares NumPy's broadcasting.
    scores -= math.log(sums[0]) if len(sums) == 1 else np.log(sums)[:, None]
    return scores


@functools.cache
def _ones(count: int) -> Floats:
    """A product with ones sums twice as fast as a reduction of few numbers."""
    return np.ones(count, np.float32)


def log_softmax(scores: Floats) -> Floats:
    """Normalises each row of log weights."""
    return normalize(scores - np.maximum.reduce(scores, axis=1, keepdims=True))


def fit_pool(logs: Floats, outcomes: Any, *, ridge: float = RIDGE) -> Pool:
    """The pool under which `outcomes` [n] are likeliest, of opinions [opinions, n, width]; deterministic.

    Opinions that nearly agree may get large weights against each other: `ridge` then grows until the pool
    is bounded. Raises `ContractError` where no ridge helps: an opinion is not finite.
    """
    for step in range(_MAX_STEPS):
        pool = _fit(logs, outcomes, ridge * _STEP**step)
        if pool.is_bounded():
            return pool
    raise ContractError("no weights can be fitted to these opinions: one is not finite; train on another log")


def _fit(logs: Floats, outcomes: Any, ridge: float) -> Pool:
    from scipy.optimize import (  # type: ignore[import-untyped]  # noqa: PLC0415 - only training needs it
        minimize,
    )

    opinions, n, width = logs.shape
    flat = np.ascontiguousarray(logs).reshape(opinions, n * width)
    rows = np.arange(n)

    def loss(parameters: Any) -> tuple[float, Any]:
        weights, bias = parameters[:opinions], parameters[opinions:]
        scores = weights.astype(np.float32).dot(flat).reshape(n, width) + bias.astype(np.float32)
        log_p = log_softmax(scores)
        error = np.exp(log_p)
        error[rows, outcomes] -= 1.0
        slope = flat.dot(error.ravel()) / n + 2 * ridge * weights
        slope_bias = error.mean(axis=0) + 2 * ridge * bias
        value = -float(log_p[rows, outcomes].mean()) + ridge * float(parameters @ parameters)
        return value, np.concatenate([slope, slope_bias]).astype(np.float64)

    start = np.concatenate([np.full(opinions, 1.0 / opinions), np.zeros(width)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _MAX_ITERATIONS})
    return Pool(found.x[:opinions].astype(np.float32), found.x[opinions:].astype(np.float32))
