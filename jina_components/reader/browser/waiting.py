"""Waiting until as much of a page is there as was asked for."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from playwright.async_api import Error, Page, Request, Response

from jina_components.reader.browser.snapshot import Order

_TICK = 0.05
_ENOUGH_TEXT = 200
# A clock on the page moves for ever: how long to wait for stillness where it is the network that matters.
_STILLNESS_SECONDS = 2.0
_MAX_SCROLL = 16_384
_SCROLL_PAUSE = 60  # milliseconds
_TEXT_LENGTH = "() => document.body ? +document.body.innerText.length || 0 : 0"  # a number, whatever the page does

_CODE = frozenset(("document", "script", "stylesheet", "xhr", "fetch"))
_MEDIA = _CODE | {"image", "media", "font", "texttrack", "imageset"}
_FETCHED = frozenset(("fetch", "xhr"))
_UNREAD_SECONDS = 2.0
_LASTING = frozenset(("websocket", "eventsource", "ping"))  # open as long as the page is


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a page counts as loaded.

    Attributes:
        state: The event that must have come.
        kinds: Requests of the main frame that must have ended; None for all, of any frame.
        quiet: Seconds for which there must have been none.
        still: Seconds for which the document must not have changed.
        patience: Seconds to wait for that stillness, or None for as long as it takes.
    """

    state: str
    kinds: frozenset[str] | None = frozenset()
    quiet: float = 0.0
    still: float = 0.0
    patience: float | None = None


_RULES = {
    "html": _Rule("domcontentloaded"),
    "mutation-idle": _Rule("domcontentloaded", still=0.5),
    "resource-idle": _Rule("domcontentloaded", _CODE, 0.3, 0.2, _STILLNESS_SECONDS),
    "media-idle": _Rule("load", _MEDIA, 0.3, 0.2, _STILLNESS_SECONDS),
    "network-idle": _Rule("load", None, 0.5, 0.2, _STILLNESS_SECONDS),
}


@functools.cache
def script(name: str) -> str:
    """The JavaScript of this package by that name."""
    return files("jina_components.reader.browser").joinpath(f"{name}.js").read_text("utf-8")


class Activity:
    """What goes on in a page.

    Attributes:
        requests: How many there were.
        has_matched: Whether the selector to be waited for has been there.
    """

    def __init__(self, page: Page) -> None:
        self.requests = 0
        self.has_matched = False
        self._page = page
        self._pending: dict[Request, str] = {}
        self._answered: dict[Request, float] = {}
        self._ended: dict[str, float] = {}
        page.on("request", self._begin)
        page.on("response", self._answer)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)

    def is_quiet(self, kinds: frozenset[str] | None, seconds: float) -> bool:
        """Whether nothing of these kinds is under way, nor was in the last `seconds`."""
        counts = (lambda kind: kind.removeprefix("frame ") not in _LASTING) if kinds is None else kinds.__contains__
        now = asyncio.get_running_loop().time()
        if any(counts(kind) and not self._is_unread(request, now) for request, kind in self._pending.items()):
            return False
        last = max((at for kind, at in self._ended.items() if counts(kind)), default=0.0)
        return now - last >= seconds

    def _begin(self, request: Request) -> None:
        self.requests += 1
        self._pending[request] = self._kind(request)

    def _answer(self, response: Response) -> None:
        self._answered[response.request] = asyncio.get_running_loop().time()

    def _is_unread(self, request: Request, now: float) -> bool:
        """Whether the page has the answer to what it fetched, but does not read it to its end."""
        return request.resource_type in _FETCHED and now - self._answered.get(request, now) >= _UNREAD_SECONDS

    def _end(self, request: Request) -> None:
        kind = self._pending.pop(request, "")
        self._answered.pop(request, None)
        self._ended[kind] = asyncio.get_running_loop().time()

    def _kind(self, request: Request) -> str:
        try:
            is_main = request.frame == self._page.main_frame
        except Error:  # the frame is not there yet
            is_main = False
        return request.resource_type if is_main else f"frame {request.resource_type}"


async def wait_until_loaded(page: Page, order: Order, activity: Activity) -> None:
    """Wait for the order's selector, then for what its timing asks."""
    if selector := order.options.wait_for_selector:
        await page.wait_for_selector(f"css={selector}", state="attached", timeout=0)
        activity.has_matched = True
    await _timed(page, order.timing, activity)


async def scroll_through(page: Page) -> None:
    """Have the page load what it loads when scrolled to."""
    await steady(page, script("scroll"), [_MAX_SCROLL, _SCROLL_PAUSE])


async def steady(page: Page, expression: str, argument: Any) -> Any:  # noqa: ANN401 (JSON values)
    """The value of a script, begun again in the next document when the page leaves this one meanwhile."""
    while True:
        try:
            return await page.evaluate(expression, argument)
        except Error as error:
            if "context was destroyed" not in error.message and "find context" not in error.message:
                raise
            await page.wait_for_load_state("domcontentloaded", timeout=0)


async def _timed(page: Page, timing: str, activity: Activity) -> None:
    if timing == "visible-content":
        await _visible(page, activity)
        return
    rule = _RULES[timing]
    await page.wait_for_load_state(rule.state, timeout=0)  # type: ignore[arg-type]
    while True:
        await _quiet(activity, rule)
        if not rule.still:
            return
        try:
            async with asyncio.timeout(rule.patience):
                await steady(page, script("mutation_idle"), rule.still * 1000)
        except TimeoutError:
            return
        if activity.is_quiet(rule.kinds, rule.quiet):
            return


async def _quiet(activity: Activity, rule: _Rule) -> None:
    while not activity.is_quiet(rule.kinds, rule.quiet):  # noqa: ASYNC110 (quiet comes by time alone)
        await asyncio.sleep(_TICK)


async def _visible(page: Page, activity: Activity) -> None:
    """Wait for a paragraph's worth of text that has stopped growing, or until nothing more comes."""
    await page.wait_for_load_state("domcontentloaded", timeout=0)
    length, before = 0, -1
    rule = _RULES["resource-idle"]
    while not (length >= _ENOUGH_TEXT and length == before) and not activity.is_quiet(rule.kinds, rule.quiet):
        await asyncio.sleep(3 * _TICK)
        before, length = length, await steady(page, _TEXT_LENGTH, None)
