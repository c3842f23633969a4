"""When to refresh an answer before it expires: XFetch (Vattani et al., PVLDB 8(8), 2015, algorithm 1).

Each reader draws for itself; the closer the expiry and the longer the computation, the likelier it asks. Here
it asks for a job and goes on with the answer that it has.
"""

from __future__ import annotations

import math

from streams.contracts.results import StoredResult

#: -ln of the smallest draw that `random` makes, 2**-53, and a little.
FARTHEST = 37.0


def is_due(stored: StoredResult, now_ms: int, *, beta: float, draw: float) -> bool:
    """`draw` is uniform in [0, 1). True when -beta * delta * ln(draw) reaches the time left to the expiry,
    where delta is the milliseconds that the computation took.
    """
    if beta <= 0 or draw <= 0:
        return False
    return -beta * stored.compute_ms * math.log(draw) >= stored.expires_at - now_ms
