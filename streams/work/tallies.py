"""Counts of metrics, kept in plain dictionaries and added to prometheus_client's once a moment.

Its counters and histograms take a lock for each number and check each call: a few microseconds a job.
Used by the event loop alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from prometheus_client import Counter, Histogram

Labels = tuple[object, ...]


class Tally:
    """What is still to be added to a counter, by its labels."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.counts: defaultdict[Labels, float] = defaultdict(float)

    def flush(self) -> None:
        for labels, amount in self.counts.items():
            self._counter.labels(*labels).inc(amount)
        self.counts.clear()


class Observations:
    """What is still to be observed by a histogram, by its labels: a count for each bucket, and the sum."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._bounds: list[float] = []
        self._counts: dict[Labels, list[int]] = {}
        self._sums: defaultdict[Labels, float] = defaultdict(float)

    def observe_all(self, labels: Labels, values: Sequence[float]) -> None:
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = self._buckets_of(labels)
        bounds = self._bounds
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        self._sums[labels] += sum(values)

    def flush(self) -> None:
        for labels, counts in self._counts.items():
            child = self._child(labels)
            for bucket, count in zip(child._buckets, counts, strict=True):  # noqa: SLF001 (as in _child)
                if count:
                    bucket.inc(count)
            child._sum.inc(self._sums[labels])  # noqa: SLF001 (as in _child)
        self._counts.clear()
        self._sums.clear()

    def _buckets_of(self, labels: Labels) -> list[int]:
        self._bounds = self._child(labels)._upper_bounds  # noqa: SLF001 (as in _child)
        return [0] * len(self._bounds)

    def _child(self, labels: Labels) -> Any:
        """prometheus_client has no public way to add many observations at once; a test holds it to this."""
        return self._histogram.labels(*labels)
