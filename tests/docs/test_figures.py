"""Every figure in README stands in a file that a benchmark wrote."""

from __future__ import annotations

import json
import re

import pytest

from bench.headlines import headlines, table
from bench.index import BEGIN, END, README
from bench.report import FOLDER

#: A number with what it is measured in; times of day, versions, ports and TTLs are none.
_MEASURED = re.compile(r"\d[\d.,]*\s?(?:us|µs|ms|MB|%|times|events/s|jobs/s|requests/s)\b|\d[\d.,]*\s?%")
#: Facts that are not measured: what the broker's files weigh, which `streams/local` checks.
_KNOWN = {"45 MB"}
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def _parts() -> tuple[str, str]:
    """The table, and everything else."""
    before, _, rest = README.read_text().partition(BEGIN)
    inside, _, after = rest.partition(END)
    return inside, before + after


def test_the_table_is_what_the_reports_say() -> None:
    inside, _ = _parts()
    assert inside.strip().splitlines() == table(), (
        "run python -m bench.index after a benchmark wrote its report"
    )


def test_nothing_is_measured_beside_the_table() -> None:
    _, outside = _parts()
    assert set(_MEASURED.findall(outside)) - _KNOWN == set()


@pytest.mark.parametrize("headline", headlines(), ids=lambda one: one.what)
def test_each_number_stands_in_its_report(headline) -> None:
    """However it is put together: each number of the text is a value of the JSON, as it stands there."""
    report = json.loads((FOLDER / f"{headline.report}.json").read_text())
    told = {number.replace(",", "") for number in _NUMBER.findall(json.dumps(report))}
    numbers = {number.replace(",", "") for number in _NUMBER.findall(headline.figure)}
    assert numbers - told == set()


def test_there_are_figures_to_show() -> None:
    assert len(headlines()) >= 5
