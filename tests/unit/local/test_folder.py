"""Folders of servers: one server each, and nothing stays that nobody wants to keep."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.contracts.errors import UnavailableError
from streams.local import folder as module
from streams.local.folder import ServerFolder


def _open(path: Path | None, parent: Path, *, keep: bool = False) -> ServerFolder:
    folder = ServerFolder(path, parent, keep=keep)
    folder.open()
    return folder


def test_throw_away_folders_are_fresh_and_go_at_the_end(tmp_path: Path) -> None:
    first, second = _open(None, tmp_path), _open(None, tmp_path)
    assert first.path != second.path
    path = first.path
    first.close()
    assert not path.exists()
    assert second.path.exists()
    second.close()


def test_a_folder_to_keep_is_kept(tmp_path: Path) -> None:
    folder = _open(tmp_path / "mine", tmp_path, keep=True)
    (folder.path / "file").touch()
    folder.close()
    assert (tmp_path / "mine" / "file").exists()


def test_two_servers_cannot_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT_S", 0.1)
    folder = _open(tmp_path / "mine", tmp_path, keep=True)
    with pytest.raises(UnavailableError, match="another running server uses"):
        _open(tmp_path / "mine", tmp_path)
    folder.close()
    _open(tmp_path / "mine", tmp_path, keep=True).close()


def test_what_a_crashed_program_left_is_swept_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    crashed, running = tmp_path / "crashed", _open(None, tmp_path)
    (crashed / "data").mkdir(parents=True)
    fresh = _open(None, tmp_path)
    assert not crashed.exists()
    assert running.path.exists()
    running.close()
    fresh.close()


def test_a_spared_folder_goes_at_the_next_open(tmp_path: Path) -> None:
    failed = _open(None, tmp_path)
    path = failed.path
    failed.close(delete=False)
    assert path.exists()
    _open(None, tmp_path).close()
    assert not path.exists()


def test_closing_twice_or_unopened_does_nothing(tmp_path: Path) -> None:
    folder = ServerFolder(None, tmp_path, keep=False)
    folder.close()
    folder.open()
    folder.open()
    folder.close()
    folder.close()


def test_a_forked_child_does_not_delete_its_parents_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _open(None, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        folder.close()
    assert folder.path.exists()
    folder.close()
