"""How to read: every option of a `Reader`, in one frozen value."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from jina_components.errors import ConfigError

ContentFormat: TypeAlias = Literal["content", "markdown", "html", "text", "screenshot", "pageshot", "readerlm"]
Engine: TypeAlias = Literal["auto", "direct", "browser"]
Timing: TypeAlias = Literal[
    "auto", "html", "visible-content", "mutation-idle", "resource-idle", "media-idle", "network-idle"
]
Chunking: TypeAlias = Literal["", "h1", "h2", "h3", "h4", "h5", "s1", "s2", "s3", "s4", "s5"]

MAX_TIMEOUT = 180.0


def _check_choices(options: MarkdownStyle | ReadOptions) -> None:
    kind: type = type(options)
    for name, known in _choices(kind):
        if (value := getattr(options, name)) not in known:
            raise ConfigError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r}.")


def _shown(options: MarkdownStyle | ReadOptions, *, hidden: tuple[str, ...] = ()) -> str:
    """The fields that differ from their defaults."""
    given = [
        f"{each.name}={'***' if each.name in hidden else repr(getattr(options, each.name))}"
        for each in fields(options)
        if getattr(options, each.name) != (each.default if each.default is not MISSING else {})
    ]
    return f"{type(options).__name__}({', '.join(given)})"


@functools.cache
def _choices(options: type) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The fields that take one of a few strings, with these."""
    hints = get_type_hints(options).items()
    return tuple((name, get_args(hint)) for name, hint in hints if get_origin(hint) is Literal)


def _check_selector(name: str, selector: str) -> None:
    if not selector:
        return
    from cssselect import SelectorError, parse

    try:
        parse(selector)
    except SelectorError as error:
        raise ConfigError(f"{name} must be a CSS selector, got {selector!r}: {error}.") from error


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MarkdownStyle:
    """How Markdown is written.

    Attributes:
        heading: `atx` (`# Title`) or `setext` (underlined; levels 1 and 2, deeper ones stay `atx`).
        bullet: Marker of list items.
        emphasis: Delimiter of emphasised text; empty for none.
        strong: Delimiter of strong text; empty for none.
        rule: A thematic break, up to 128 characters.
        links: `inlined` (`[text](url)`), `referenced` (`[text][1]`, the URLs at the end), `cited` (`【1†text】`: the
            number of the URL among the different ones of `Page.links`) or `discarded` (the text).
        references: The form of referenced links: `full` (`[text][1]`), `collapsed` (`[text][]`), `shortcut` (`[text]`).
        numbered_images: Whether the texts of images begin with their place in `Page.images`: `![Image 1: text](url)`.
        tables: `gfm` (simple tables with pipes, others as HTML), or `html`.
        gfm: Whether to write GitHub's extensions: tables with pipes, strikethrough, task lists. Without it tables are
            HTML.
        escape: Whether characters that would read as Markdown get a backslash. Without, a sentence of the page is
            found in the content by plain search.

    Raises:
        ConfigError: a value is none of these.
    """

    heading: Literal["atx", "setext"] = "atx"
    bullet: Literal["-", "*", "+"] = "-"
    emphasis: Literal["*", "_", ""] = "*"
    strong: Literal["**", "__", ""] = "**"
    rule: str = "---"
    links: Literal["inlined", "referenced", "cited", "discarded"] = "inlined"
    references: Literal["full", "collapsed", "shortcut"] = "full"
    numbered_images: bool = False
    tables: Literal["gfm", "html"] = "gfm"
    gfm: bool = True
    escape: bool = True

    def __post_init__(self) -> None:
        _check_choices(self)
        if not 0 < len(self.rule) <= 128 or not self.rule.isprintable():
            raise ConfigError(f"rule must be 1 to 128 printable characters, got {self.rule!r}.")

    def __repr__(self) -> str:
        return _shown(self)


PLAIN = MarkdownStyle(emphasis="", strong="", links="discarded", escape=False)
"""Markdown of blocks alone: no marks within a line, so that what is quoted from it stands so in the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """The window of the browser.

    Attributes:
        width, height: In CSS pixels.
        scale: Device pixels for each.
        mobile: Whether to emulate a phone: its layout, and touch.

    Raises:
        ConfigError: a size beyond 1 to 10,000 pixels, or a scale beyond 0.1 to 4.
    """

    width: int = 1280
    height: int = 1280
    scale: float = 1.0
    mobile: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.width <= 10_000 and 0 < self.height <= 10_000 and 0.1 <= self.scale <= 4):
            raise ConfigError(f"A viewport has 1 to 10,000 pixels a side and a scale of 0.1 to 4, got {self!r}.")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReadOptions:
    """How a source is read. What only a browser can do makes the engine `auto` take one.

    Attributes:
        format: What `Page.content` holds: `content` (Markdown of the main content), `markdown` (of the whole page),
            `html` (the document), `text` (what is visible, as plain text), `readerlm` (Markdown written by the
            Reader's `html_converter`). `screenshot` and `pageshot` are `content` with a picture of the window, or of
            the whole page, in `Page.screenshot`.
        engine: `direct` fetches the document, `browser` renders it in Chromium, `auto` renders what is empty or built
            by scripts when fetched, and what the other options need a browser for.
        target_selector: CSS of the elements to keep; the rest of the page, and the choice of the main content, go.
        wait_for_selector: CSS of what to wait for. Browser.
        remove_selector: CSS of elements to drop first.
        images: `all`, `none`, or `alt` for their alternative texts alone.
        captions: Whether images without alternative text get one from the Reader's `captioner`.
        links: `all`, `none` (neither text nor URL), `text`, or `referenced` (as `style.links`).
        links_summary: A list of links after the content: `none`, `unique` URLs, or `all`.
        images_summary: Whether a list of the images follows the content.
        iframes: Whether to read what is in frames. Browser.
        shadow_dom: Whether to read what is in shadow roots. Browser.
        remove_overlays: Whether to drop cookie walls, dialogs and banners.
        cookies: `Set-Cookie` strings (RFC 6265), such as `session=1; Path=/`. Nothing is then cached.
        headers: Further request headers, for the URL's own origin.
        user_agent, referer, locale: Request headers; `locale` is a BCP 47 tag for `Accept-Language`.
        proxy: URL of a proxy (http, https) to go through.
        timeout: Seconds for fetching and rendering, up to 180; None for the Reader's.
        timing: What of the page to wait for. Browser. `auto` takes `network-idle` with frames or a timeout of 20 s
            or more, `media-idle` for pictures, else `resource-idle`.
        accept_errors: Whether the page of an error status (404 …) is read, with a warning; else it is an error.
        cache_tolerance: Age in seconds up to which a cached copy will do; None for the cache's own, 0 for no cache.
        do_not_track: Whether to leave nothing in the cache.
        token_budget: Tokens of the content above which reading fails.
        max_tokens: Tokens to which the content is cut.
        style: How Markdown is written.
        chunking: Cuts `Page.chunks` at headings of a level and above: `h1` to `h5`, or `s1` to `s5`, whose chunks
            begin with the headings they stand under.
        robots: Name of a bot as which to obey robots.txt (RFC 9309); empty to ignore it.
        base: What relative links are resolved against, unless the page says: the URL asked for (`initial`), or the
            one after redirects.
        scripts: JavaScript to run in the page once it is loaded. Browser.
        viewport: The window of the browser. Browser.
        keep_data_urls: Whether images within the page keep their data; else `blob:` and a digest stand for it.
        instruction: What a language model is to extract from the page, into `Page.extracted`.
        json_schema: JSON Schema of what is extracted.

    Raises:
        ConfigError: a value is out of its range, or contradicts another.
    """

    format: ContentFormat = "content"
    engine: Engine = "auto"
    target_selector: str = ""
    wait_for_selector: str = ""
    remove_selector: str = ""
    images: Literal["all", "none", "alt"] = "all"
    captions: bool = False
    links: Literal["all", "none", "text", "referenced"] = "all"
    links_summary: Literal["none", "unique", "all"] = "none"
    images_summary: bool = False
    iframes: bool = False
    shadow_dom: bool = False
    remove_overlays: bool = False
    cookies: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    user_agent: str = ""
    referer: str = ""
    locale: str = ""
    proxy: str = ""
    timeout: float | None = None
    timing: Timing = "auto"
    accept_errors: bool = False
    cache_tolerance: float | None = None
    do_not_track: bool = False
    token_budget: int | None = None
    max_tokens: int | None = None
    style: MarkdownStyle = MarkdownStyle()
    chunking: Chunking = ""
    robots: str = ""
    base: Literal["initial", "final"] = "final"
    scripts: tuple[str, ...] = ()
    viewport: Viewport | None = None
    keep_data_urls: bool = False
    instruction: str = ""
    json_schema: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        _check_choices(self)
        for name in ("cookies", "scripts"):
            if isinstance(getattr(self, name), str):
                raise ConfigError(f"{name} must be a tuple of str, got a str: pass ({getattr(self, name)!r},).")
        for name in ("target_selector", "wait_for_selector", "remove_selector"):
            _check_selector(name, getattr(self, name))
        for name in ("timeout", "cache_tolerance", "token_budget", "max_tokens"):
            if not isinstance(value := getattr(self, name), int | float | None) or isinstance(value, bool):
                raise ConfigError(f"{name} must be a number or None, got {value!r}.")
        if self.timeout is not None and not 0 < self.timeout <= MAX_TIMEOUT:
            raise ConfigError(f"timeout must be above 0 and up to {MAX_TIMEOUT:.0f} seconds, got {self.timeout}.")
        for name in ("token_budget", "max_tokens"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ConfigError(f"{name} must be positive, got {value}.")
        if self.cache_tolerance is not None and self.cache_tolerance < 0:
            raise ConfigError(f"cache_tolerance must not be negative, got {self.cache_tolerance}.")
        if self.engine == "direct" and (needing := self.needing_browser()):
            raise ConfigError(f"engine='direct' cannot do what {', '.join(needing)} asks for: choose auto or browser.")

    @property
    def pictures(self) -> bool:
        """Whether a picture of the page is to be taken."""
        return self.format in ("screenshot", "pageshot")

    @property
    def extracts(self) -> bool:
        """Whether something is to be extracted from the page by a model."""
        return bool(self.instruction) or self.json_schema is not None

    @property
    def is_memorable(self) -> bool:
        """Whether what is read so may be kept, is what anybody would read, and is the main content with all its words.

        What is kept of a page replaces what was kept before, so a part of it would hide the rest.
        """
        own = self.do_not_track or self.cookies or self.headers or self.proxy or self.scripts or self.extracts
        partial = self.target_selector or self.remove_selector or self.max_tokens or self.links == "none"
        return not own and not partial and self.format == "content"

    def __repr__(self) -> str:
        return _shown(self, hidden=("cookies", "headers", "proxy"))  # which may hold secrets

    def needing_browser(self) -> tuple[str, ...]:
        """The options given that only a browser can do."""
        given = tuple(name for name in _OF_BROWSER if getattr(self, name) != _DEFAULTS[name])
        return (f"format={self.format!r}", *given) if self.pictures else given


QUOTABLE = ReadOptions(style=PLAIN, images="none")
"""For indexing: the words alone, so that what is quoted from a page stands so in it."""

_OF_BROWSER = ("wait_for_selector", "iframes", "shadow_dom", "timing", "scripts", "viewport")
_DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(ReadOptions)}
