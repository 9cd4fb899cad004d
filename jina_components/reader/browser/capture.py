"""Writing a page out: its document with frames and shadow roots in their places, and its picture."""

from __future__ import annotations

import asyncio
import base64
import html as html_text
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession, Error, Frame, Page

from jina_components.errors import ContentTooLargeError
from jina_components.read_options import ReadOptions
from jina_components.reader.browser.waiting import script, steady

MAX_PICTURE_PIXELS = 16_384  # of height
_MAX_PICTURE_WIDTH = 4096
_MAX_FRAMES = 50
_MAX_FRAME_LENGTH = 4_000_000
_FRAME_SECONDS = 3.0
_OF_FRAMES = {"absolute": True, "bodyOnly": True, "maxLength": _MAX_FRAME_LENGTH}


@dataclass(frozen=True, slots=True)
class Captured:
    """A document written out.

    Attributes:
        html, title: As in `Snapshot`.
        warnings: What is in the page but not in `html`.
    """

    html: str
    title: str
    warnings: tuple[str, ...] = ()


async def capture(page: Page, options: ReadOptions, *, max_length: int) -> Captured:
    """The document of `page` as it stands.

    Raises:
        ContentTooLargeError: it has more than `max_length` characters.
    """
    mark = f"frame-{secrets.token_hex(8)}"
    given = {"shadow": options.shadow_dom, "frameMark": mark, "absolute": False, "maxLength": max_length}
    inlined = await _inlined(page.main_frame, given, [_MAX_FRAMES]) if options.iframes else {}
    # What it gives is what the page's own objects make of it, and of no type that could be relied on.
    result = await steady(page, script("serialize"), {**given, "bodyOnly": False})
    written = _put_frames(str(result["html"]), mark, inlined)
    if not result["whole"] or len(written) > max_length:
        raise ContentTooLargeError(f"The document exceeds {max_length:,} characters.", page.url)
    warnings = []
    if result["frames"] and not options.iframes:
        warnings.append("The page contains frames that are not read; see ReadOptions(iframes=True).")
    if result["shadows"]:
        warnings.append("The page contains shadow roots that are not read; see ReadOptions(shadow_dom=True).")
    return Captured(f"<!DOCTYPE html>{written}", str(result["title"]), tuple(warnings))


async def picture(session: CDPSession, *, scale: float, whole: bool) -> tuple[bytes, str]:
    """A PNG of the window or, up to a limit, of the whole page; and a warning, or empty.

    Args:
        session: Of the page.
        scale: Device pixels for each CSS pixel, which this session does not know of.
        whole: Whether the whole page is wanted.
    """
    metrics = await session.send("Page.getLayoutMetrics")
    window, content = metrics["cssVisualViewport"], metrics["cssContentSize"]
    clip = {
        "x": window["pageX"],
        "y": window["pageY"],
        "width": window["clientWidth"],
        "height": window["clientHeight"],
    }
    cut = ""
    if whole:
        height = min(float(content["height"]), MAX_PICTURE_PIXELS / scale)
        width = min(float(content["width"]), max(_MAX_PICTURE_WIDTH / scale, window["clientWidth"]))
        clip = {"x": 0, "y": 0, "width": width, "height": height}
        if height < content["height"] or width < content["width"]:
            page = f"{content['width']:,.0f} x {content['height']:,.0f}"
            cut = f"The picture ends after {width:,.0f} x {height:,.0f} of {page} pixels."
    settings = {"format": "png", "clip": {**clip, "scale": scale}, "captureBeyondViewport": whole}
    return base64.b64decode((await session.send("Page.captureScreenshot", settings))["data"]), cut


async def _inlined(frame: Frame, given: dict[str, Any], left: list[int]) -> dict[str, str]:
    """The bodies of the frames within `frame` by number; each frame's element gets its number as an attribute."""
    # In the place of one that was refused is an error page, in which no script ever runs.
    children = [child for child in frame.child_frames if not child.url.startswith("chrome-error:")][: left[0]]
    left[0] -= len(children)
    numbers = [secrets.token_hex(4) for _ in children]
    bodies = await asyncio.gather(*(_body(*each, given, left) for each in zip(children, numbers, strict=True)))
    return {number: body for number, body in zip(numbers, bodies, strict=True) if body is not None}


async def _body(frame: Frame, number: str, given: dict[str, Any], left: list[int]) -> str | None:
    """The body of a frame; None if it is gone, hangs or is too long: its element then stands as without the option."""
    with suppress(Error, TimeoutError):
        async with asyncio.timeout(_FRAME_SECONDS):
            return await _marked(frame, number, given, left)
    return None


async def _marked(frame: Frame, number: str, given: dict[str, Any], left: list[int]) -> str | None:
    inner = await _inlined(frame, given, left)
    result = await frame.evaluate(script("serialize"), {**given, **_OF_FRAMES})
    if not result["whole"]:
        return None
    element = await frame.frame_element()
    await element.evaluate(
        "(element, [mark, number]) => element.setAttribute(mark, number)", [given["frameMark"], number]
    )
    url = html_text.escape(str(result["url"]))
    return f'<div data-frame="{url}">{_put_frames(str(result["html"]), given["frameMark"], inner)}</div>'


def _put_frames(written: str, mark: str, bodies: dict[str, str]) -> str:
    for number, body in bodies.items():
        # Once: the page can see the mark, and write it a million times.
        written = written.replace(f"<!--{mark}:{number}-->", body, 1)
    return written
