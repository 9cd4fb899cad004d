"""What a browser sees of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jina_components.read_options import ReadOptions


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A page as it stood at one moment.

    Attributes:
        url: The URL after redirects.
        status: The HTTP status; 200 for HTML that was given.
        headers: Of the response, with names in lower case, but for cookies; empty for HTML that was given.
        is_document: Whether it is HTML. If not (a PDF, a download, plain text), nothing was rendered: fetch `url`
            directly.
        html: The document as it stood in the browser, written out: without scripts, an image's `src` the one shown,
            elements that are not displayed marked `hidden`; frames and shadow roots in their places if asked for.
        title: The title.
        screenshot: PNG of the window or the page, if asked for.
        warnings: What went wrong on the way: error status, unfinished loading, refused requests, failed scripts …
        is_final: False for the snapshots that `Browser.stream` gives while the page still loads.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    is_document: bool = True
    html: str = field(default="", repr=False)
    title: str = ""
    screenshot: bytes = field(default=b"", repr=False)
    warnings: tuple[str, ...] = ()
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """What to visit.

    Attributes:
        url: A URL that the guard let pass.
        options: How to read it.
        timeout: Seconds for loading.
        html: The document to render at the URL, or None for the one that is there.
        emit: Called with each snapshot before the final one; None if nobody wants them.
    """

    url: str
    options: ReadOptions
    timeout: float
    html: str | None = None
    emit: Callable[[Snapshot], None] | None = None

    @property
    def timing(self) -> str:
        """What of the page to wait for, `auto` resolved."""
        options = self.options
        if options.timing != "auto":
            return options.timing
        if options.iframes or (options.timeout or 0) >= _PATIENT_SECONDS:
            return "network-idle"
        return "media-idle" if options.format in ("screenshot", "pageshot") else "resource-idle"


_PATIENT_SECONDS = 20.0
