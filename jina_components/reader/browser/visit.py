"""One page: opened in a context of its own, waited for, written out, closed."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, CDPSession, Error, Frame, Page, Request, Response, Route

from jina_components.errors import FetchTimeoutError, WebError
from jina_components.net.cookies import parse_cookie
from jina_components.net.guarding_proxy import READY_URL
from jina_components.net.headers import checked
from jina_components.net.passage import Passage
from jina_components.read_options import ReadOptions, Viewport
from jina_components.reader.browser.capture import Captured, capture, picture
from jina_components.reader.browser.chromium import Chromium
from jina_components.reader.browser.snapshot import Order, Snapshot
from jina_components.reader.browser.waiting import Activity, script, scroll_through, wait_until_loaded
from jina_components.types import shorten

_MAX_REQUESTS = 3300
_MAX_LENGTH = 32_000_000
_CAPTURE_SECONDS = 10.0
_CLOSE_SECONDS = 5.0
_SPARE_SECONDS = 20.0  # for what Chromium does besides loading
_EMIT_SECONDS = 0.5
_TOLD = 5
_DOCUMENTS = frozenset(("text/html", "application/xhtml+xml", ""))


async def visit(chromium: Chromium, order: Order, passage: Passage, *, proxy_port: int) -> Snapshot:
    """The page that the order asks for.

    Raises:
        BlockedURLError: the guard refuses the document, or where it redirects to.
        FetchTimeoutError: no document came in time, or none that could be written out.
        ContentTooLargeError: the document is too large.
        WebError: it cannot be loaded.
    """
    try:
        async with asyncio.timeout(order.timeout + _CAPTURE_SECONDS + _SPARE_SECONDS):
            context = await _context(chromium, order.options, passage, proxy_port)
            try:
                return await _Visit(context, await _prepared(context, order), order, passage).run()
            finally:
                await _end(context, chromium)
    except FetchTimeoutError:
        raise
    except TimeoutError as error:
        chromium.is_broken = True
        raise FetchTimeoutError(f"{order.url} is not read: Chromium does not obey.", order.url) from error
    except Error as error:
        await chromium.probe()
        reason = shorten(error.message.partition("\n")[0].removeprefix("Page."), 200)
        raise WebError(f"{order.url} cannot be rendered ({reason}).", order.url) from error


async def _context(chromium: Chromium, options: ReadOptions, passage: Passage, proxy_port: int) -> BrowserContext:
    return await chromium.browser.new_context(
        **_settings(options, chromium.user_agent),
        proxy={
            "server": f"http://127.0.0.1:{proxy_port}",
            "bypass": "<-loopback>",
            "username": passage.username,
            "password": passage.password,
        },
    )


async def _end(context: BrowserContext, chromium: Chromium) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await context.close()
    except (TimeoutError, Error):
        chromium.is_broken = True


def _settings(options: ReadOptions, user_agent: str) -> dict[str, Any]:
    window = options.viewport or Viewport()
    return {
        "user_agent": options.user_agent or user_agent,
        "locale": options.locale or None,
        "viewport": {"width": window.width, "height": window.height},
        "device_scale_factor": window.scale,
        "is_mobile": window.mobile,
        "has_touch": window.mobile,
        "service_workers": "block",
        "accept_downloads": False,
    }


async def _prepared(context: BrowserContext, order: Order) -> Page:
    if order.options.shadow_dom:
        await context.add_init_script(script("open_shadows"))
    cookies = [parse_cookie(text, url=order.url) for text in order.options.cookies]
    await context.add_cookies(
        [
            {
                "name": cookie.name,
                "value": cookie.value,
                "domain": cookie.domain,
                "path": cookie.path,
                "expires": cookie.expires,
                "httpOnly": cookie.http_only,
                "secure": cookie.secure,
                "sameSite": cookie.same_site,  # type: ignore[typeddict-item]
            }
            for cookie in cookies
            if not cookie.is_expired
        ]
    )
    page = await context.new_page()
    context.on("page", _close)
    if order.html is not None:
        # Chromium remembers the password from the first document; without, a web socket knows none.
        await page.goto(READY_URL, wait_until="commit", timeout=order.timeout * 1000)
        body = order.html.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        await page.route("**/*", functools.partial(_fulfil, body), times=1)
    return page


async def _fulfil(body: str, route: Route) -> None:
    await route.fulfill(status=200, content_type="text/html; charset=utf-8", body=body)


async def _close(popup: Page) -> None:
    try:
        await popup.close()
    except Error:
        return  # it is gone already


class _Visit:
    """One page under way."""

    def __init__(self, context: BrowserContext, page: Page, order: Order, passage: Passage) -> None:
        self._context = context
        self._page = page
        self._order = order
        self._passage = passage
        self._activity = Activity(page)
        self._deadline = asyncio.get_running_loop().time() + order.timeout
        self._warnings: list[str] = []
        self._target = order.url  # of the main frame's last navigation
        self._response: Response | None = None
        page.on("request", self._on_request)
        page.on("response", self._on_response)

    async def run(self) -> Snapshot:
        session = await self._context.new_cdp_session(self._page)
        if self._order.options.headers:
            await _add_headers(session, self._order)
        if not await self._open():
            return Snapshot(self._target, self._status(), self._headers(), is_document=False)
        emitting = asyncio.ensure_future(self._emit()) if self._order.emit else None
        try:
            try:
                async with asyncio.timeout_at(self._deadline):
                    await self._load()
            except TimeoutError:
                self._warnings.append(self._unfinished())
        finally:
            if emitting is not None:
                emitting.cancel()
        return await self._finish(session)

    def _unfinished(self) -> str:
        seconds, selector = self._order.timeout, self._order.options.wait_for_selector
        if not selector or self._activity.has_matched:
            return f"The page is maybe not fully loaded after {seconds:g} s."
        named = f"wait_for_selector '{shorten(selector, 100)}'"
        return f"Nothing matched {named} within {seconds:g} s; this is the page as it was then."

    async def _open(self) -> bool:
        """Navigate, and tell whether a document is there now.

        Raises:
            WebError: nothing is there.
        """
        url = self._order.url
        seconds = self._deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(seconds):
                await self._page.goto(url, wait_until="commit", timeout=0, referer=self._order.options.referer or None)
        except TimeoutError as error:
            raise FetchTimeoutError(
                f"{url} gave no answer in {self._order.timeout:g} s; raise timeout.", url
            ) from error
        except Error as error:
            self._raise_refusal()
            if "Download is starting" in error.message or (self._response and not self._is_html()):
                return False
            reason = shorten(error.message.removeprefix("Page.goto: ").partition("\n")[0], 200)
            raise WebError(f"{url} cannot be loaded ({reason}); check the URL and the network.", url) from error
        self._raise_refusal()
        return self._is_html()

    async def _load(self) -> None:
        page, options = self._page, self._order.options
        await wait_until_loaded(page, self._order, self._activity)
        if self._order.timing == "media-idle" or options.format == "pageshot":
            await scroll_through(page)
            await wait_until_loaded(page, self._order, self._activity)
        for number, text in enumerate(options.scripts):
            try:
                await page.evaluate(text)
            except Error as error:
                told = error.message.removeprefix("Page.evaluate: ").partition("\n    at ")[
                    0
                ]  # the stack is Playwright's
                self._warnings.append(f"scripts[{number}] failed: {shorten(told, 200)}")
        if options.scripts:
            await wait_until_loaded(page, self._order, self._activity)

    async def _finish(self, session: CDPSession) -> Snapshot:
        options = self._order.options
        shot = b""
        try:
            async with asyncio.timeout(_CAPTURE_SECONDS):
                self._raise_refusal()
                if options.remove_overlays:
                    await self._page.evaluate(script("remove_overlays"))
                if options.format in ("screenshot", "pageshot"):
                    window = options.viewport or Viewport()
                    shot, cut = await picture(session, scale=window.scale, whole=options.format == "pageshot")
                    self._warnings += [cut] if cut else []
                captured = await self._capture()
        except TimeoutError as error:
            url = self._order.url
            raise FetchTimeoutError(f"{url} is too busy to be written out; its scripts never pause.", url) from error
        return replace(self._snapshot(captured), screenshot=shot)

    async def _capture(self) -> Captured:
        return await capture(self._page, self._order.options, max_length=_MAX_LENGTH)

    async def _emit(self) -> None:
        """Give a snapshot whenever the page has changed."""
        emit = self._order.emit
        assert emit is not None  # noqa: S101 (else this is not called)
        last = ""
        try:
            await self._page.wait_for_load_state("domcontentloaded", timeout=0)
            while True:
                captured = await self._capture()
                if captured.html != last:
                    emit(replace(self._snapshot(captured), is_final=False))
                last = captured.html
                await asyncio.sleep(_EMIT_SECONDS)
        except (Error, WebError):
            return  # the final snapshot meets it too, and tells

    def _snapshot(self, captured: Captured) -> Snapshot:
        status = self._status()
        told = [f"The target answered with status {status}."] if status >= 400 else []
        warnings = (*told, *self._warnings, *captured.warnings, *_refusals(self._passage))
        return Snapshot(
            self._page.url, status, self._headers(), html=captured.html, title=captured.title, warnings=warnings
        )

    def _on_request(self, request: Request) -> None:
        if self._activity.requests > _MAX_REQUESTS:
            self._passage.shut(f"it makes more than {_MAX_REQUESTS:,} requests")
        if self._is_main(request):
            self._target = request.url

    def _on_response(self, response: Response) -> None:
        if self._is_main(response.request):
            self._response = response

    def _is_main(self, request: Request) -> bool:
        try:
            frame: Frame | None = request.frame
        except Error:  # a navigation whose frame is not there yet
            frame = None
        return request.is_navigation_request() and frame in (None, self._page.main_frame)

    def _raise_refusal(self) -> None:
        """Raise what kept the proxy from reaching the document."""
        if (error := self._passage.error_of(self._target)) is not None:
            raise type(error)(f"{self._target}: {error.message}", self._target) from error

    def _status(self) -> int:
        return self._response.status if self._response else 0

    def _headers(self) -> dict[str, str]:
        return self._response.headers if self._response else {}

    def _is_html(self) -> bool:
        return self._headers().get("content-type", "").partition(";")[0].strip().lower() in _DOCUMENTS


def _refusals(passage: Passage) -> tuple[str, ...]:
    told = [f"A request was refused: {error.message}" for error in passage.blocked]
    more = len(told) - _TOLD
    cut = [f"{more} more requests were refused."] if more > 0 else []
    ended = [f"The page was cut off: {passage.reason}."] if passage.reason else []
    return (*told[:_TOLD], *cut, *ended)


async def _add_headers(session: CDPSession, order: Order) -> None:
    """Add the headers to requests for the URL's own origin.

    Raises:
        InputError: one of them is malformed, or not for the caller to set.

    Not by playwright's `route`, which goes on sending them after a redirect to another origin.
    """
    own = _origin(order.url)
    ours = checked(order.options.headers)  # Chromium would leave a request with a malformed one unsent, for ever

    async def add(event: dict[str, Any]) -> None:
        added = ours if _origin(event["request"]["url"]) == own else {}
        # After a redirect, those of the request before are among them.
        sent = event["request"]["headers"].items()
        kept = {name: value for name, value in sent if name.lower() not in added and ours.get(name.lower()) != value}
        headers = [{"name": name, "value": value} for name, value in {**kept, **added}.items()]
        try:
            await session.send("Fetch.continueRequest", {"requestId": event["requestId"], "headers": headers})
        except Error:
            return  # the page or the request is gone

    session.on("Fetch.requestPaused", add)
    await session.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
