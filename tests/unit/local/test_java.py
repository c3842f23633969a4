"""What a JVM of ours takes over from the environment."""

from __future__ import annotations

import pytest

from streams.local.java import java_environment


def test_options_for_other_programs_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1m")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    environment = java_environment()
    assert "JAVA_TOOL_OPTIONS" not in environment
    assert environment["HTTPS_PROXY"] == "http://proxy.example"


def test_paths_are_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert java_environment()["LC_ALL"] == "C.UTF-8"
