"""A client's counts for Prometheus; needs prometheus-client, which the client itself does not."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from streams.client.metrics import ClientMetrics


class ClientCollector(Collector):
    def __init__(self, metrics: ClientMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[CounterMetricFamily]:
        family = CounterMetricFamily("precompute_client_calls", "What a client met and did", labels=["what"])
        for name, count in self._metrics.as_dict().items():
            family.add_metric([name], count)
        yield family


def register(metrics: ClientMetrics, registry: CollectorRegistry) -> None:
    """Shows the counts as `precompute_client_calls_total{what=...}`."""
    registry.register(ClientCollector(metrics))
