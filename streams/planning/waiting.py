"""How long jobs wait for a server: the formulas that the sizing stands on."""

from __future__ import annotations

import math

from streams.contracts.errors import ConfigurationError


def erlang_c(servers: int, offered: float) -> float:
    """Probability that an arrival waits, with `offered` = arrivals/s x seconds of service (M/M/c).

    A. K. Erlang, 1917; computed by the recursion of Erlang B, which does not overflow.
    """
    if servers < 1 or offered < 0:
        raise ConfigurationError("at least one server, and no negative load")
    if offered >= servers:
        return 1.0
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - (offered / servers) * (1 - blocked))


def mean_wait_s(servers: int, per_s: float, service_s: float, cv: float) -> float:
    """Mean seconds until a server is free; infinite where more comes than can be served.

    Allen and Cunneen's approximation of M/G/c: the M/M/c wait times (1 + cv^2) / 2; exact for one server.
    """
    offered = per_s * service_s
    if offered >= servers:
        return math.inf
    if offered == 0:
        return 0.0
    return erlang_c(servers, offered) * service_s / (servers - offered) * (1 + cv * cv) / 2


def priority_wait_s(loads: list[tuple[float, float]], rank: int, cv: float) -> float:
    """Mean wait of class `rank` (0 first) at one server that finishes what it began (A. Cobham, 1954).

    `loads` are (arrivals/s, mean seconds) by class, the most urgent first.
    """
    residual = sum(per_s * service_s * service_s * (1 + cv * cv) for per_s, service_s in loads) / 2
    above = sum(per_s * service_s for per_s, service_s in loads[:rank])
    through = above + loads[rank][0] * loads[rank][1]
    if through >= 1:
        return math.inf
    return residual / ((1 - above) * (1 - through))
