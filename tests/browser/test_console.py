"""Every screen and action of the console, as people meet it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

SCREENS = {
    "overview": "/console",
    "jobs": "/console/jobs",
    "job": f"/console/jobs/{'e' * 24}",
    "letters": "/console/letters",
    "cache": "/console/cache?key=dashboard_data:user:user-1",
    "predictor": "/console/predictor?user=user-1",
    "workers": "/console/workers",
    "audit": "/console/audit",
    "confirm": "/console/confirm?act=invalidate&pattern=dashboard_data:*",
    "problem": "/console/jobs/nobody",
}
#: WCAG 2.2 at level AA and below.
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
MOST_BYTES = 60_000
_IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images" / "console"


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_accessible(browser: Browser, root: str, name: str) -> None:
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        # axe is injected as an inline script, which our policy would refuse.
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": 1280, "height": 800}, bypass_csp=True
        )
        page = context.new_page()
        page.goto(root + SCREENS[name])
        found = Axe().run(page, options=RULES)
        assert found.violations_count == 0, found.generate_report()
        context.close()


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", [320, 1920])
def test_a_screen_fits_and_is_small(browser: Browser, root: str, name: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=True)
    page = context.new_page()
    response = page.goto(root + SCREENS[name])
    assert response is not None
    assert len(response.body()) <= MOST_BYTES
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").count() == 1
    if os.environ.get("PRECOMPUTE_SCREENSHOTS") and width == 1920:
        _IMAGES.mkdir(parents=True, exist_ok=True)
        page.set_viewport_size({"width": 1200, "height": 800})
        page.screenshot(path=_IMAGES / f"{name}.png", full_page=True)
    context.close()


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_works_without_javascript(browser: Browser, root: str, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(root + SCREENS[name])
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("[data-live-toggle]:visible")).to_have_count(0)
    context.close()


def test_the_overview_is_live_and_can_be_paused(page: Page, root: str, http: httpx.Client) -> None:
    page.goto(root + "/console")
    reads = page.get_by_text(re.compile(r"of .* reads"))
    before = reads.inner_text()
    http.get("/cache/dashboard_data:user:user-1")
    expect(reads).not_to_have_text(before, timeout=15_000)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on live")).to_have_attribute("aria-pressed", "true")


def test_everything_is_reached_with_the_keyboard(page: Page, root: str) -> None:
    page.goto(root + "/console")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_an_action_asks_first(page: Page, root: str) -> None:
    page.goto(root + f"/console/jobs/{'e' * 24}")
    page.get_by_role("button", name="Retry…").click()
    expect(page.locator("h1")).to_contain_text("hook_analysis:video:gone")
    page.get_by_role("link", name="Leave it").click()
    expect(page).to_have_url(root + "/console")


def test_invalidation_shows_what_would_go_and_does_it_without_javascript(
    browser: Browser, root: str, http: httpx.Client
) -> None:
    http.get("/cache/dashboard_data:user:goes-away", headers={"Prefer": "wait=15"})
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(root + "/console/cache")
    page.get_by_label("Pattern").fill("*:user:goes-away")
    page.get_by_role("button", name="Preview…").click()
    expect(page.locator("h1")).to_contain_text("1 answers")
    page.get_by_role("button", name="Invalidate 1").click()
    expect(page).to_have_url(root + "/console/audit")
    expect(page.get_by_role("cell", name="*:user:goes-away")).to_be_visible()
    assert http.get("/cache/dashboard_data:user:goes-away").status_code == 404
    context.close()


def test_a_dead_letter_is_replayed_from_its_screen(page: Page, root: str) -> None:
    page.goto(root + "/console/letters?reason=attempts_spent")
    page.get_by_role("link", name="hook_analysis:video:gone").first.click()
    expect(page.get_by_text('"payload"')).not_to_be_visible()
    page.get_by_text("Payload, ").click()
    expect(page.get_by_text('"payload"')).to_be_visible()
    page.get_by_role("button", name="Replay…").click()
    page.get_by_role("button", name="Replay 1").click()
    expect(page.get_by_role("cell", name="1 of 1").first).to_be_visible()


def test_workers_are_quieted_and_resumed(page: Page, root: str) -> None:
    for button, done in (("Quiet all…", "quiet"), ("Resume all…", "resume")):
        page.goto(root + "/console/workers")
        page.get_by_role("button", name=button).click()
        page.locator("button.danger").click()
        expect(page.get_by_role("cell", name=done, exact=True).first).to_be_visible()


def test_an_unknown_act_or_a_forged_origin_does_nothing(root: str) -> None:
    with httpx.Client(trust_env=False) as client:
        assert client.post(f"{root}/console/do", data={"act": "explode"}).status_code == 400
        forged = client.post(
            f"{root}/console/do", data={"act": "quiet"}, headers={"Origin": "https://evil.test"}
        )
        assert forged.status_code == 403
        for name in ("..%2fpages.py", "../pages.py", "%2e%2e/pages.py", "console.css%00", "nothing.css"):
            assert client.get(f"{root}/console/static/{name}").status_code == 404
