"""The reference says what the code says: making it anew changes nothing."""

from __future__ import annotations

from pathlib import Path

from tools.reference.pages import FOLDER, generated, stale, write


def test_making_it_anew_changes_nothing() -> None:
    found = stale()
    assert found == [], f"{', '.join(found)} is stale; run `make reference`"


def test_no_schema_is_left_over() -> None:
    made = set(generated())
    there = {str(path.relative_to(FOLDER)) for path in (FOLDER / "schemas").rglob("*.json")}
    assert {name for name in there if "/closed/" not in name} - made == set()


def test_a_changed_file_is_noticed_and_written(tmp_path: Path) -> None:
    assert set(write(tmp_path)) == set(generated())
    (tmp_path / "metrics.md").write_text("something else")
    assert stale(tmp_path) == ["metrics.md"]
    assert write(tmp_path) == ["metrics.md"]
    assert stale(tmp_path) == []
