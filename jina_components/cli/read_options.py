"""The options of reading as options of a command: one flag for each field."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from jina_components.cli.common import read_schema
from jina_components.errors import ConfigError
from jina_components.read_options import MarkdownStyle, ReadOptions, Viewport

_HELP = {
    "format": "what to print: Markdown of the main content (or of the whole page), the HTML, its visible text, or "
    "Markdown and a picture into the file of --picture",
    "engine": "fetch the page, render it in a browser, or find out",
    "target_selector": "CSS of the elements to keep",
    "wait_for_selector": "CSS of what to wait for (browser)",
    "remove_selector": "CSS of elements to drop",
    "images": "keep images, or their alternative texts alone, or none",
    "captions": "let the --chat model describe images without alternative text",
    "links": "keep links, their texts alone, or none; referenced: the URLs at the end",
    "links_summary": "list the links after the content",
    "images_summary": "list the images after the content",
    "iframes": "read what is in frames (browser)",
    "shadow_dom": "read what is in shadow roots (browser)",
    "remove_overlays": "drop cookie walls, dialogs and banners",
    "cookies": "a cookie to send, as NAME=VALUE (may be repeated)",
    "headers": "a request header, as NAME=VALUE (may be repeated)",
    "user_agent": "User-Agent to send",
    "referer": "Referer to send",
    "locale": "language to ask for, such as de-DE",
    "proxy": "URL of a proxy to go through",
    "timeout": "seconds for fetching and rendering, up to 180",
    "timing": "what to wait for (browser)",
    "accept_errors": "read the page of an error status too",
    "do_not_track": "leave nothing in the cache",
    "token_budget": "fail if the content has more tokens",
    "max_tokens": "cut the content to so many tokens; with --reader-lm, the longest Markdown it writes",
    "chunking": "print the content in pieces, a JSON string a line, cut at headings of this level; s: with those above",
    "robots": "obey robots.txt as the bot of this name",
    "base": "what relative links are resolved against: the URL given, or the one after redirects",
    "scripts": "JavaScript to run in the page (browser; may be repeated)",
    "viewport": "the browser's window, such as 1280x800 or 390x844@3,mobile",
    "keep_data_urls": "keep the data of images within the page",
    "instruction": "what the --chat model is to extract from the page",
    "json_schema": "file with the JSON Schema of what to extract",
}
_STYLE_HELP = {
    "heading": "style of headings", "bullet": "marker of list items", "emphasis": "delimiter of emphasis",
    "strong": "delimiter of strong text", "rule": "a thematic break", "links": "style of links",
    "references": "style of referenced links", "numbered_images": "number the texts of images",
    "tables": "tables with pipes, or as HTML",
    "gfm": "write GitHub's extensions of Markdown", "escape": "escape what would read as Markdown",
}  # fmt: skip


_VIEWPORT = re.compile(r"(\d{1,5})x(\d{1,5})(?:@(\d(?:\.\d+)?))?(,mobile)?")


def add_read_options(parser: argparse.ArgumentParser) -> None:
    """A flag for every field of `ReadOptions`, and `--md-…` for those of its style."""
    of_reading = parser.add_argument_group("how to read")
    for name, hint in get_type_hints(ReadOptions).items():
        if name not in ("style", "cache_tolerance"):  # the latter is one of all commands that fetch
            _add_flag(of_reading, name, hint, help=_HELP[name], prefix="")
    of_style = parser.add_argument_group("how Markdown is written")
    for name, hint in get_type_hints(MarkdownStyle).items():
        _add_flag(of_style, name, hint, help=_STYLE_HELP[name], prefix="md-")


def read_options(options: argparse.Namespace) -> ReadOptions:
    """What the flags say.

    Raises:
        ConfigError: a value is of another form or contradicts another.
    """
    given = _given(options, ReadOptions, prefix="")
    style = MarkdownStyle(**_given(options, MarkdownStyle, prefix="md_"))
    return ReadOptions(**{name: _PARSERS.get(name, _as_is)(value) for name, value in given.items()}, style=style)


def _given(
    options: argparse.Namespace, kind: type[ReadOptions] | type[MarkdownStyle], *, prefix: str
) -> dict[str, Any]:
    """The flags of the fields of `kind` that were given."""
    values = {each.name: getattr(options, prefix + each.name, None) for each in fields(kind)}
    return {name: value for name, value in values.items() if value is not None}


def _add_flag(group: Any, name: str, hint: object, *, help: str, prefix: str) -> None:  # noqa: ANN401 (private type)
    flag = f"--{prefix}{name.replace('_', '-')}"
    if get_origin(hint) is Literal:
        group.add_argument(flag, choices=get_args(hint), help=help)
    elif hint is bool:
        action = argparse.BooleanOptionalAction if prefix else "store_true"
        group.add_argument(flag, action=action, default=None, help=help)
    elif name in ("cookies", "headers", "scripts"):
        group.add_argument(flag.removesuffix("s"), action="append", dest=name, metavar="TEXT", help=help)
    else:
        number = next((kind for kind in (int, float) if kind in get_args(hint)), str)
        metavar = {int: "N", float: "SECONDS"}.get(number, "CSS" if name.endswith("selector") else "TEXT")
        group.add_argument(flag, type=number, metavar=metavar, help=help)


def _as_is(value: Any) -> Any:  # noqa: ANN401 (whatever a flag gives)
    return value


def _headers(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if odd := [name for name, equals, _ in pairs if not equals]:
        raise ConfigError(f"--header takes NAME=VALUE, got {odd[0]!r}.")
    return {name: value for name, _, value in pairs}


def _viewport(text: str) -> Viewport:
    found = _VIEWPORT.fullmatch(text)
    if not found:
        raise ConfigError(f"--viewport takes WIDTHxHEIGHT[@SCALE][,mobile], got {text!r}.")
    width, height, scale, mobile = found.groups()
    return Viewport(width=int(width), height=int(height), scale=float(scale or 1), mobile=bool(mobile))


_PARSERS: dict[str, Any] = {
    "cookies": tuple,
    "scripts": tuple,
    "headers": _headers,
    "viewport": _viewport,
    "json_schema": lambda path: read_schema(Path(path)),
}
