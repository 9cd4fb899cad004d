"""What clients ask of reading, in headers or a body, as `ReadOptions`: one table of all options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from starlette.datastructures import Headers

from jina_components.errors import ConfigError
from jina_components.read_options import MAX_TIMEOUT, ContentFormat, MarkdownStyle, ReadOptions
from jina_components.service.errors import Problem, problem
from jina_components.service.wire import option_values as values
from jina_components.service.wire.schemas import checked_schema
from jina_components.types import shorten

# Characters of what is said of a wrong option, which may show its value.
_SHOWN = 500

WireFormat: TypeAlias = Literal[
    "content", "markdown", "html", "text", "screenshot", "pageshot", "readerlm-v2", "datetime", "no-content"
]
LinksForm: TypeAlias = Literal["none", "unique", "all", "cited"]
Settings: TypeAlias = dict[str, Any]
"""Values by the field of `ReadRequest`, of its options (`options.images`) or their style (`style.rule`)."""

FORMATS: dict[WireFormat, ContentFormat] = {
    "content": "content", "markdown": "markdown", "html": "html", "text": "text", "screenshot": "screenshot",
    "pageshot": "pageshot", "readerlm-v2": "readerlm", "datetime": "content", "no-content": "content",
}  # fmt: skip
"""What the library reads for each format of the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """How a client wants pages read and shown.

    Attributes:
        formats: What is shown of a page, as the wire names it; several only in JSON and events. `no-content` is the
            search's: nothing is read.
        options: How the library reads it; its `format` is that of the first of `formats`. The budget of tokens is not
            in it, for it is of what is shown.
        links: Whether a page's links are listed: `unique` ones by text, `all` as pairs, `cited` ones by their number.
        images: Whether its images are listed.
        token_budget: Tokens above which a page costs too much, and is an error.
    """

    formats: tuple[WireFormat, ...] = ("content",)
    options: ReadOptions = ReadOptions()  # noqa: RUF009 (immutable)
    links: LinksForm = "none"
    images: bool = False
    token_budget: int | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the wire.

    Attributes:
        key: In a body; `markdown.hr` is `hr` in the object `markdown`.
        headers: Names of its header, the first one documented; none where only a body has it.
        take: Settings by its value in a body, or the text of its header; a ValueError says what is wrong with it.
        doc: What it does.
        body_first: Whether the body wins over the header.
        flag: Where any text in the header says yes (`false` too), the words that say something else; None elsewhere.
    """

    key: str
    headers: tuple[str, ...]
    take: Callable[[object], Settings]
    doc: str
    body_first: bool = False
    flag: tuple[str, ...] | None = None


def read_request(headers: Headers, body: Mapping[str, Any] | None = None) -> ReadRequest:
    """What headers and body ask for; keys that are no options are ignored.

    Args:
        headers: Those of the request.
        body: Its body: JSON, or a form's fields as text.

    Raises:
        Problem: 400 `ParamValidationError`, whose `path` is the body's key of the option.
    """
    asked: Settings = {}
    for option, value in _given(headers, body or {}):
        settings: Settings = {}
        try:
            settings = option.take(value)
            _combined(settings)
        except ConfigError as error:
            raise wrong(option.key, error.message.removeprefix(f"{_field(settings)} ")) from error
        except ValueError as error:
            raise wrong(option.key, str(error)) from error
        asked |= settings
    formats = asked.setdefault("formats", ("content",))
    if asked.get("options.engine") == "direct":
        asked.pop("options.timing", None)  # what is fetched is complete
    elif asked.get("options.engine") == "browser":
        asked.setdefault("options.wait_for_selector", asked.get("options.target_selector", ""))
    try:
        options = replace(_combined(asked), format=FORMATS[formats[0]])
    except ConfigError as error:
        raise wrong("engine", error.message) from error
    return ReadRequest(options=options, **{name: value for name, value in asked.items() if "." not in name})


def wrong(path: str, what: str) -> Problem:
    """400: an option is wrong; `what` may go on from its name (`must be …`)."""
    told = shorten(f"{path} {what}" if what.startswith(("must", "is", "has", "needs", "asks")) else what, _SHOWN)
    return problem(400, told if told.endswith((".", "…")) else f"{told}.", fields={"path": path})


def _given(headers: Headers, body: Mapping[str, Any]) -> Iterator[tuple[Option, object]]:
    """Each option that is there, with its value: of the header or the body, by which of them wins."""
    for option in OPTIONS:
        found = [value for value in (_of_body(option, body), _of_headers(option, headers)) if value is not None]
        if found:
            yield option, found[0] if option.body_first else found[-1]


def _of_body(option: Option, body: Mapping[str, Any]) -> object:
    if (value := body.get(option.key)) is not None:
        return value
    outer, _, inner = option.key.partition(".")
    nested = body.get(outer) if inner else None
    if nested is None:
        return None
    if not isinstance(nested, Mapping):
        raise wrong(outer, f"must be an object, got {type(nested).__name__}")
    return nested.get(inner)


def _of_headers(option: Option, headers: Headers) -> object:
    for name in option.headers:
        if value := ", ".join(filter(None, map(str.strip, headers.getlist(name)))):
            return True if option.flag is not None and value.lower() not in option.flag else value
    return None


def _combined(settings: Settings) -> ReadOptions:
    """The library's options with these settings.

    Raises:
        ConfigError: a value is out of its range, or contradicts another.
    """
    style = replace(_DEFAULTS.style, **_part(settings, "style."))
    return replace(_DEFAULTS, style=style, **_part(settings, "options."))


def _part(settings: Settings, prefix: str) -> Settings:
    return {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}


def _field(settings: Settings) -> str:
    return next(iter(settings), "").rpartition(".")[2]


def _one(field: str, read: Callable[[object], Any]) -> Callable[[object], Settings]:
    """Settings of one field."""
    return lambda value: {field: read(value)}


def _if(field: str, value: object = True) -> Callable[[object], Settings]:
    """Settings of one field, where the client says yes."""
    return lambda given: {field: value} if values.flag(given) else {}


def _if_or(field: str, value: object, *, word: str, meaning: Settings | None) -> Callable[[object], Settings]:
    """Likewise, but for a word that means something else, or nothing here."""

    def take(given: object) -> Settings:
        if not isinstance(given, str) or given.strip().lower() != word:
            return _if(field, value)(given)
        if meaning is None:
            raise ValueError(f"must not be {word!r}, which is not served here: send true")
        return meaning

    return take


def _timeout(value: object) -> Settings:
    seconds = values.number(value)
    if isinstance(value, str):
        seconds = min(max(seconds, 1.0), MAX_TIMEOUT)
    elif not 1 <= seconds <= MAX_TIMEOUT:
        raise ValueError(f"must be 1 to {MAX_TIMEOUT:.0f} seconds, got {seconds:g}")
    return {"options.timeout": seconds}


def _formats(value: object) -> Settings:
    words = value if isinstance(value, list) else values.text(value).replace(",", "+").split("+")
    found = dict.fromkeys(values.text(each).lower() for each in words)
    found.pop("", None)
    if "vlm" in found:
        raise ValueError("vlm, a model that describes a picture of the page, is not served here: ask for content")
    if unknown := [each for each in found if each not in FORMATS]:
        raise ValueError(f"must be one of {', '.join(FORMATS)}, or several joined by +; got {unknown[0][:60]!r}")
    if "readerlm-v2" in found and found.keys() & {"content", "markdown"}:
        raise ValueError("has readerlm-v2 beside content or markdown: ask for one of them")
    if len(found) > 1 and "no-content" in found:
        raise ValueError("has no-content beside another format: ask for one of them")
    return {"formats": tuple(found)} if found else {}


_ENGINES = {"auto": "auto", "browser": "browser", "direct": "direct", "curl": "direct"}


def _engine(value: object) -> Settings:
    word = values.text(value).lower()
    if word in ("vlm", "readerlm-v2"):
        return _formats(word)
    if word == "cf-browser-rendering":
        raise ValueError("cf-browser-rendering is not served here: ask for browser")
    return {"options.engine": values.choice(_ENGINES)(value)}


def _images(value: object) -> Settings:
    word = values.choice({each: each for each in ("all", "none", "alt", "all_p", "alt_p")})(value)
    return {"options.images": word.removesuffix("_p"), **({"options.captions": True} if word.endswith("_p") else {})}


def _links(value: object) -> Settings:
    word = values.choice({each: each for each in ("all", "none", "text", "gpt-oss")})(value)
    return {"style.links": "cited", "links": "cited"} if word == "gpt-oss" else {"options.links": word}


def _chunking(value: object) -> Settings:
    if value is True:
        return {"options.chunking": "h4"}
    known = {"true": "h4", "structured": "s4", "false": ""}
    known |= {f"{kind}{level}": f"{kind}{level}" for kind in "hs" for level in range(1, 6)}
    return {"options.chunking": values.choice(known)(value)} if value is not False else {}


def _robots(value: object) -> Settings:
    return {"options.robots": values.text(value)}


def _references(value: object) -> Settings:
    word = values.choice({each: each for each in ("full", "collapsed", "shortcut", "discarded")})(value)
    return {"style.links": word} if word == "discarded" else {"style.references": word}


def _words(*words: str) -> Callable[[object], Any]:
    return values.choice({word: word for word in words})


def _delimiter(*words: str) -> Callable[[object], Any]:
    return values.choice({**{word: word for word in words}, "none": ""})


_DEFAULTS = ReadOptions(accept_errors=True, base="initial", style=MarkdownStyle(numbered_images=True))
_TIMINGS = ("html", "visible-content", "mutation-idle", "resource-idle", "media-idle", "network-idle")

OPTIONS: tuple[Option, ...] = (
    # The engine before the format, for which it may be a shorthand.
    Option("engine", ("x-engine",), _engine, "auto, browser, or direct (curl)."),
    Option(
        "respondWith", ("x-respond-with", "x-return-format"), _formats,
        "content, markdown, html, text, screenshot, pageshot; several joined by + in JSON and events.",
    ),
    Option("timeout", ("x-timeout",), _timeout, "Seconds for the page, 1 to 180."),
    Option(
        "targetSelector", ("x-target-selector",), _one("options.target_selector", values.selectors),
        "CSS of what to keep.", body_first=True,
    ),
    Option(
        "waitForSelector", ("x-wait-for-selector",), _one("options.wait_for_selector", values.selectors),
        "CSS of what to wait for.", body_first=True,
    ),
    Option(
        "removeSelector", ("x-remove-selector",), _one("options.remove_selector", values.selectors),
        "CSS of what to drop first.", body_first=True,
    ),
    Option("retainImages", ("x-retain-images",), _images, "all, none, alt, all_p, alt_p."),
    # Before retainLinks, which has the last word on the list.
    Option(
        "withLinksSummary", ("x-with-links-summary",),
        _if_or("links", "unique", word="all", meaning={"links": "all"}),
        "List the links; all: with those that repeat.", flag=("all",),
    ),
    Option("retainLinks", ("x-retain-links",), _links, "all, none, text, gpt-oss."),
    Option("withImagesSummary", ("x-with-images-summary",), _if("images"), "List the images.", flag=()),
    Option(
        "withGeneratedAlt", ("x-with-generated-alt",), _if("options.captions"),
        "Describe images that have no text, by a model.", flag=(),
    ),
    Option(
        "cacheTolerance", ("x-cache-tolerance",), _one("options.cache_tolerance", values.number),
        "Seconds up to which a copy will do.",
    ),
    Option("noCache", ("x-no-cache",), _if("options.cache_tolerance", 0.0), "Fetch it anew.", flag=()),
    Option(
        "keepImgDataUrl", ("x-keep-img-data-url",), _if("options.keep_data_urls"),
        "Keep images that are within the page.", flag=(),
    ),
    Option(
        "withIframe", ("x-with-iframe",), _if_or("options.iframes", value=True, word="quoted", meaning=None),
        "Read frames.", flag=("quoted",),
    ),
    Option("withShadowDom", ("x-with-shadow-dom",), _if("options.shadow_dom"), "Read shadow roots.", flag=()),
    Option("setCookies", ("x-set-cookie",), _one("options.cookies", values.cookies), "Set-Cookie strings."),
    Option(
        "proxyUrl", ("x-proxy-url",), _one("options.proxy", values.proxy_url), "Proxy to go through.", body_first=True
    ),
    Option(
        "proxy", ("x-proxy",),
        values.refused("must be none or auto: there are no proxies here, send one of yours as proxyUrl", but=("auto",)),
        "Only none or auto: there are no proxies here.", body_first=True,
    ),
    Option(
        "userAgent", ("x-user-agent",), _one("options.user_agent", values.text), "User-Agent to send.", body_first=True
    ),
    Option("referer", ("x-referer",), _one("options.referer", values.text), "Referer to send."),
    Option(
        "locale", ("x-locale", "accept-language"), _one("options.locale", values.locale), "Language to ask for."
    ),
    Option("customHeader", (), _one("options.headers", values.headers), "Further headers to send to the URL's origin."),
    Option(
        "tokenBudget", ("x-token-budget",), _one("token_budget", values.whole_number(1)),
        "Tokens above which there is an error.", body_first=True,
    ),
    Option(
        "maxTokens", ("x-max-tokens",), _one("options.max_tokens", values.whole_number(500)),
        "Tokens to which the content is cut, at least 500.", body_first=True,
    ),
    Option(
        "respondTiming", ("x-respond-timing",), _one("options.timing", _words(*_TIMINGS)),
        f"{', '.join(_TIMINGS)}.", body_first=True,
    ),
    Option("base", ("x-base",), _one("options.base", _words("initial", "final")), "initial or final."),
    Option("removeOverlay", ("x-remove-overlay",), _if("options.remove_overlays"), "Drop cookie walls and pop-ups."),
    Option(
        "robotsTxt", ("x-robots-txt",), _robots, "Name of a bot as which to obey robots.txt.", body_first=True
    ),
    Option("doNotTrack", ("dnt",), _if("options.do_not_track"), "1 to store nothing."),
    Option(
        "noGfm", ("x-no-gfm",),
        _if_or("style.gfm", value=False, word="table", meaning={"style.tables": "html"}),
        "No GitHub Markdown; table: only tables as HTML.", flag=("table",),
    ),
    Option(
        "markdownChunking", ("x-markdown-chunking",), _chunking,
        "Cut at headings: true, h1 to h5, structured, s1 to s5.", body_first=True,
    ),
    Option(
        "markdown.headingStyle", ("x-md-heading-style",), _one("style.heading", _words("atx", "setext")),
        "atx or setext.", body_first=True,
    ),
    Option("markdown.hr", ("x-md-hr",), _one("style.rule", values.text), "A thematic break.", body_first=True),
    Option(
        "markdown.bulletListMarker", ("x-md-bullet-list-marker",), _one("style.bullet", _words("*", "-", "+")),
        "*, - or +.", body_first=True,
    ),
    Option(
        "markdown.emDelimiter", ("x-md-em-delimiter",), _one("style.emphasis", _delimiter("_", "*")),
        "_, * or none.", body_first=True,
    ),
    Option(
        "markdown.strongDelimiter", ("x-md-strong-delimiter",), _one("style.strong", _delimiter("**", "__")),
        "**, __ or none.", body_first=True,
    ),
    Option("markdown.escape", (), _one("style.escape", values.flag), "Escape what would read as Markdown (true)."),
    Option(
        "markdown.numberedImages", (), _one("style.numbered_images", values.flag), "Number the texts of images (true)."
    ),
    Option(
        "markdown.linkStyle", ("x-md-link-style",), _one("style.links", _words("inlined", "referenced", "discarded")),
        "inlined, referenced or discarded.", body_first=True,
    ),
    Option(
        "markdown.linkReferenceStyle", ("x-md-link-reference-style",), _references,
        "full, collapsed, shortcut or discarded.", body_first=True,
    ),
    Option("viewport", (), _one("options.viewport", values.viewport), "Window of the browser: width, height …"),
    Option("injectPageScript", (), _one("options.scripts", values.texts), "JavaScript to run in the page, or its URL."),
    Option(
        "injectFrameScript", (), values.refused("is not served here: scripts run in the page, by injectPageScript"),
        "Not served here.",
    ),
    Option("instruction", (), _one("options.instruction", values.text), "What a language model is to extract."),
    Option("jsonSchema", (), _one("options.json_schema", checked_schema), "JSON Schema of what is extracted."),
)  # fmt: skip
"""All options, but for what is read itself: `url`, `html`, `pdf`, `file`."""

HEADERS: dict[str, str] = {option.headers[0]: option.doc for option in OPTIONS if option.headers}
"""What each header does."""

_INNER = {option.key.partition(".")[2]: {"description": option.doc} for option in OPTIONS if "." in option.key}
FIELDS: dict[str, Any] = {
    **{option.key: {"description": option.doc} for option in OPTIONS if "." not in option.key},
    "markdown": {"type": ["object", "null"], "properties": _INNER},
}
"""What the OpenAPI document says of the fields of a body."""
