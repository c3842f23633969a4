"""A headless Chromium of the system (Debian's), driven by Playwright, on live roles."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.system import SystemUnderTest
from tests.support.waiting import wait_until

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


# Of a module: Playwright keeps an event loop running in this thread, and no other test could have its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        message = "no Chromium here: `apt-get install chromium` brings what these tests look through"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def live(kafka: str, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemUnderTest]:
    """A system with something to see: answers, a failed job, a dead letter."""
    with SystemUnderTest(tmp_path_factory.mktemp("browser"), kafka, valkey) as running:
        running.start("worker", "api")
        _fill(running)
        yield running


def _fill(system: SystemUnderTest) -> None:
    for number in range(12):
        system.http.get(f"/cache/dashboard_data:user:user-{number}", headers={"Prefer": "wait=15"})
    job = {
        "id": "e" * 24, "task": "hook_analysis", "key": "hook_analysis:video:gone", "entity": "video",
        "entity_id": "gone", "user_id": "user-1", "priority": 8, "why": "upload",
        "created_at": int(time.time() * 1000), "input_version": 1,
        "payload": {"video_id": "gone", "user_id": "user-1", "uri": "file:///gone.mp4"},
    }  # fmt: skip
    system.send(system.topics.jobs(8), json.dumps(job).encode(), str(job["key"]))
    letter = [("precompute-reason", b"attempts_spent"), ("precompute-error", b"the service was away")]
    system.send(system.topics.jobs_dlq, json.dumps(job).encode(), str(job["key"]), letter)
    system.flush()
    wait_until(lambda: system.http.get(f"/jobs/{'e' * 24}").status_code == 200, what="the failed job")


@pytest.fixture
def root(live: SystemUnderTest) -> str:
    return str(live.http.base_url).removesuffix("/api/precompute/")


@pytest.fixture
def http(live: SystemUnderTest) -> httpx.Client:
    return live.http


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in either colour scheme; an error in its own console fails the test."""
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()
    assert not errors
