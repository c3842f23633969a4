"""Renders the chart's cases without a cluster; as a command, writes them down as goldens.

`python -m tools.charts.rendering` renews charts/precompute/ci/rendered/ after a wanted change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "precompute"
GOLDENS = CHART / "ci" / "rendered"
RELEASE = "demo"
NAMESPACE = "apps"
#: Generated and compared on their own; a second copy of them would only make a diff long.
_NOT_IN_GOLDENS = ("dashboards.yaml",)

Manifest = dict[str, Any]


def cases() -> list[str]:
    """The names of the ci values files."""
    return sorted(path.name.removesuffix("-values.yaml") for path in CHART.glob("ci/*-values.yaml"))


def case_values(case: str) -> dict[str, Any]:
    values = yaml.safe_load((CHART / "ci" / f"{case}-values.yaml").read_text())
    assert isinstance(values, dict)
    return values


def render_templates(values: Mapping[str, Any]) -> dict[str, str]:
    """Text by template name; raises `helm_python.HelmError` where schema or chart refuses the values."""
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(dict(values))
        rendered = chart.render(dict(values), name=RELEASE, namespace=NAMESPACE)
    return {name.removeprefix("precompute/templates/"): text for name, text in rendered.items()}


def render(values: Mapping[str, Any]) -> list[Manifest]:
    """The manifests that an install would make."""
    return list(_manifests(render_templates(values)))


def golden(case: str) -> str:
    """One text for a case: its notes as comments, then its manifests by template."""
    parts: list[str] = []
    for name, text in sorted(render_templates(case_values(case)).items()):
        if name == "NOTES.txt":
            parts.insert(0, "".join(f"# {line}".rstrip() + "\n" for line in text.strip().splitlines()))
        elif name not in _NOT_IN_GOLDENS and text.strip():
            parts.append(f"---\n# {name}\n{_normal(text)}")
    return "".join(parts)


def _normal(text: str) -> str:
    documents = [document for document in yaml.safe_load_all(text) if document]
    return yaml.safe_dump_all(documents, sort_keys=True, width=110)


def _manifests(templates: Mapping[str, str]) -> Iterator[Manifest]:
    for name, text in templates.items():
        if name != "NOTES.txt":
            yield from (document for document in yaml.safe_load_all(text) if document)


def main() -> None:
    GOLDENS.mkdir(exist_ok=True)
    for case in cases():
        (GOLDENS / f"{case}.yaml").write_text(golden(case))
        print(f"rendered {case}")


if __name__ == "__main__":
    main()
