"""The playground in real Chromium, for tests: synchronous playwright, one browser a module.

@pytest.fixture(scope="module")
def browser():
    yield from running_chromium()

def test_reranks(browser, service_url):
    with visit(browser, service_url) as page:      # fails on requests elsewhere, and on errors of scripts
        tab = open_tab(page, "rerank")
        run(tab)                                   # presses its button; returns when the result is there
        assert "…" in tab.inner_text()
        take_pictures(page, "rerank")              # build/playground/rerank-wide.png, rerank-narrow.png
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, Request, Route, expect, sync_playwright

PICTURES = Path(__file__).parents[1] / "build" / "playground"
WIDE, NARROW = (1440, 900), (390, 844)
# Milliseconds; a busy machine makes the first view slow, when Gradio is imported.
_PATIENCE = 60_000
_ENDS = ".pg-status :is(.pg-done, .pg-error):visible"
_NEW = ".pg-status :is(.pg-done, .pg-error):not([data-old]):visible"


def running_chromium() -> Iterator[Browser]:
    """A browser, for a fixture to yield from."""
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(
            executable_path=found, chromium_sandbox=os.geteuid() != 0, handle_sigint=False, handle_sigterm=False
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(
    browser: Browser,
    url: str,
    *,
    behind: str = "",
    size: tuple[int, int] = WIDE,
    scheme: str = "light",
    expected: tuple[str, ...] = (),
) -> Iterator[Page]:
    """The playground, opened.

    Args:
        browser: A running one.
        url: Of the service.
        behind: Of the service, where `url` is that of a proxy in front of it.
        size: Width and height of the window.
        scheme: "light" or "dark".
        expected: Parts of messages on the console that are no failure of the test.
    """
    with browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce"
    ) as context:
        context.set_default_timeout(_PATIENCE)
        outside, failures = list[str](), list[str]()

        def asked(request: Request) -> None:
            if not request.url.startswith((f"{url}/", "data:", "blob:", "about:")):
                outside.append(request.url)

        page = context.new_page()
        context.on("request", asked)
        if behind:
            context.route(f"{url}/**", lambda route: passed_on(route, url, behind))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.append(said.text) if said.type == "error" else None)
        page.goto(f"{url}/")
        page.locator(".pg-run:visible").first.wait_for()
        yield page
        assert not outside, outside
        unexpected = [each for each in failures if not any(part in each for part in expected)]
        assert not unexpected, unexpected


def passed_on(route: Route, url: str, behind: str) -> None:
    """As a proxy does it that leaves out the path under which the service is seen."""
    headers = route.request.all_headers() | {"host": urlsplit(url).netloc}
    route.fulfill(response=route.fetch(url=route.request.url.replace(url, behind, 1), headers=headers))


def open_tab(page: Page, name: str) -> Locator:
    """The panel of a tab (`playground.tabs.Tab.name`), which is shown."""
    page.locator(f"#pg-{name}-button").click()
    panel = page.locator(f"#pg-{name}")
    panel.wait_for()
    return panel


def run(panel: Locator, *, button: str = "") -> None:
    """Press the button of a tab, or the one with these words, and wait for the end of what it does."""
    forget(panel)
    pressed = panel.get_by_role("button", name=button, exact=True) if button else panel.locator(".pg-run:visible").first
    pressed.click()
    finished(panel)


def forget(panel: Locator) -> None:
    """Mark what the last run told as old, before another one is started."""
    panel.locator(_ENDS).evaluate_all("all => all.forEach(each => each.dataset.old = '')")


def finished(panel: Locator) -> None:
    """Wait for the end of what was started after `forget`."""
    expect(panel.locator(_NEW).first).to_be_visible()


def status(panel: Locator) -> str:
    """What a tab tells of its last run; an error begins with what the service said."""
    return panel.locator(_NEW).first.inner_text()


def take_pictures(page: Page, name: str) -> None:
    """Writes `NAME-wide.png` and `NAME-narrow.png` of the whole page, which must not need to scroll sideways."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for kind, (width, height) in (("wide", WIDE), ("narrow", NARROW)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(300)  # layouts follow the window
        page.screenshot(path=PICTURES / f"{name}-{kind}.png", full_page=True)
        needed = page.evaluate("document.documentElement.scrollWidth")
        assert needed <= width, f"The page of {name} is {needed} pixels wide, the window {width}."
