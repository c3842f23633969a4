from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from streams.work.tallies import Observations, Tally

BUCKETS = (0.1, 1.0, 10.0)
values = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0.0, 0.1, 0.5, 1.0, 9.0, 10.0, 99.0])))


@given(st.lists(values, min_size=1, max_size=3))
def test_a_histogram_is_told_the_same_as_one_by_one(rounds: list[list[tuple[str, float]]]) -> None:
    """Holds prometheus_client to the two attributes that `Observations` writes."""
    registries = [CollectorRegistry(), CollectorRegistry()]
    one_by_one, many = (Histogram("h", "", ["x"], buckets=BUCKETS, registry=one) for one in registries)
    tally = Observations(many)
    for some in rounds:
        for label, value in some:
            one_by_one.labels(label).observe(value)
        for label in {label for label, _ in some}:
            tally.observe_all((label,), [value for other, value in some if other == label])
        tally.flush()
    samples = [
        {
            (s.name, *sorted(s.labels.items())): s.value
            for metric in registry.collect()
            for s in metric.samples
            if not s.name.endswith("_created")
        }
        for registry in registries
    ]
    assert samples[0].keys() == samples[1].keys()
    assert all(abs(samples[0][key] - samples[1][key]) < 1e-9 for key in samples[0])


def test_a_counter_gets_each_amount_once() -> None:
    registry = CollectorRegistry()
    tally = Tally(Counter("c", "", ["x"], registry=registry))
    for _ in range(3):
        tally.counts["a",] += 1
    tally.flush()
    tally.flush()
    assert registry.get_sample_value("c_total", {"x": "a"}) == 3
