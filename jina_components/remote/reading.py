"""How to read, in the words of the wire: a table of all options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeAlias

from jina_components.errors import ConfigError
from jina_components.read_options import MarkdownStyle, ReadOptions, Viewport

_LEAST_TOKENS = 500
_LEAST_SECONDS = 1.0
_NONE = "none"
_FORMATS = {"readerlm": "readerlm-v2", "screenshot": "content+screenshot", "pageshot": "content+pageshot"}

_Written: TypeAlias = "tuple[str, Callable[[Any], object]]"


def _same(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _viewport(window: Viewport) -> dict[str, object]:
    found = asdict(window)
    return {"deviceScaleFactor": found.pop("scale"), "isMobile": found.pop("mobile"), **found}


# By the field of ReadOptions its key in a body, and its value there. What is not here is said by `read_body` itself, or
# done where the page is taken in.
_OPTIONS: dict[str, _Written] = {
    "format": ("respondWith", lambda word: _FORMATS.get(word, word)),
    "engine": ("engine", _same),
    "target_selector": ("targetSelector", _same),
    "wait_for_selector": ("waitForSelector", _same),
    "remove_selector": ("removeSelector", _same),
    "images": ("retainImages", _same),
    "captions": ("withGeneratedAlt", _same),
    "iframes": ("withIframe", _same),
    "shadow_dom": ("withShadowDom", _same),
    "remove_overlays": ("removeOverlay", _same),
    "cookies": ("setCookies", _same),
    "headers": ("customHeader", dict),
    "user_agent": ("userAgent", _same),
    "referer": ("referer", _same),
    "locale": ("locale", _same),
    "proxy": ("proxyUrl", _same),
    "timeout": ("timeout", lambda seconds: max(seconds, _LEAST_SECONDS)),
    "timing": ("respondTiming", _same),
    "cache_tolerance": ("cacheTolerance", _same),
    "do_not_track": ("doNotTrack", int),
    "token_budget": ("tokenBudget", _same),
    "max_tokens": ("maxTokens", _same),
    "chunking": ("markdownChunking", _same),
    "robots": ("robotsTxt", _same),
    "scripts": ("injectPageScript", _same),
    "viewport": ("viewport", _viewport),
    "keep_data_urls": ("keepImgDataUrl", _same),
    "instruction": ("instruction", _same),
    "json_schema": ("jsonSchema", dict),
}
# Likewise of the style; always said, for servers have defaults of their own.
_STYLE: dict[str, str] = {
    "heading": "headingStyle", "bullet": "bulletListMarker", "emphasis": "emDelimiter", "strong": "strongDelimiter",
    "rule": "hr", "references": "linkReferenceStyle",
}  # fmt: skip
# What only servers of this library know; of what others send, `unmarked` takes it out.
_OURS: dict[str, str] = {"escape": "escape", "numbered_images": "numberedImages"}
_DEFAULTS = {each.name: getattr(ReadOptions(), each.name) for each in fields(ReadOptions)}


def read_body(options: ReadOptions, *, of_jina: bool) -> dict[str, Any]:
    """The fields of a body that ask for pages to be read so, and for what a `Page` holds.

    Args:
        options: How to read.
        of_jina: Whether it goes to Jina's own servers.

    Raises:
        ConfigError: the wire has no words for an option; the message names it.
    """
    if options.max_tokens is not None and options.max_tokens < _LEAST_TOKENS:
        raise ConfigError(f"max_tokens must be at least {_LEAST_TOKENS} for a server, got {options.max_tokens}.")
    body: dict[str, Any] = {
        key: write(value)
        for name, (key, write) in _OPTIONS.items()
        if (value := getattr(options, name)) != _DEFAULTS[name]
    }
    if options.captions and options.images == "alt":
        del body["withGeneratedAlt"]  # which brings the images themselves
        body["retainImages"] = "alt_p"
    style = options.style
    if not style.gfm or style.tables == "html":
        body["noGfm"] = True if not style.gfm else "table"
    return {
        "base": options.base,
        "withImagesSummary": True,
        **_links(options),
        **body,
        "markdown": {**_link_style(options), **_markdown(style, of_jina=of_jina)},
    }


def _links(options: ReadOptions) -> dict[str, object]:
    if options.links in ("none", "text"):
        return {"withLinksSummary": "all", "retainLinks": options.links}
    if options.style.links == "cited" and options.links == "all":
        return {"retainLinks": "gpt-oss"}  # which has a list of its own
    return {"withLinksSummary": "all"}


def _link_style(options: ReadOptions) -> dict[str, object]:
    form = "referenced" if options.links == "referenced" else options.style.links
    return {} if form == "cited" else {"linkStyle": form}


def _markdown(style: MarkdownStyle, *, of_jina: bool) -> Mapping[str, object]:
    said = {key: getattr(style, name) for name, key in _STYLE.items()}
    if not of_jina:
        return {name: value or _NONE for name, value in said.items()} | {
            key: getattr(style, name) for name, key in _OURS.items()
        }
    return {name: value for name, value in said.items() if value}
