"""`read`: sources into Markdown."""

from __future__ import annotations

import argparse
import base64
import sys
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.cli.common import (
    Commands,
    add_chat_options,
    add_command,
    add_reading_options,
    make_chat,
    make_reader,
    print_json,
    with_flags,
)
from jina_components.cli.read_options import add_read_options, read_options
from jina_components.errors import ConfigError
from jina_components.read_options import ReadOptions
from jina_components.types import Page

if TYPE_CHECKING:
    from jina_components.reader_lm import ReaderLM

_MAX_TOKENS = 8192  # as ReaderLM's own


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    read = add_command(
        commands, "read", _read,
        help="read a URL or file (HTML, PDF, Office, EPUB, feeds, data, text) into clean Markdown",
        examples="""
            jina-components read https://example.com
            jina-components read paper.pdf --json | jq .title
            jina-components read https://example.com --format pageshot --picture page.png
            jina-components read https://example.com --engine browser --wait-for-selector main --links text
            curl -s https://example.com/a | jina-components read - --base-url https://example.com/a
            jina-components read page.html --instruction "the price" --chat-model llama3.1 --chat-url http://localhost:11434/v1
            jina-components read page.html --reader-lm ReaderLM-v2
        """,
    )  # fmt: skip
    read.add_argument("source", metavar="SOURCE", help="URL or path, or - for standard input")
    read.add_argument("--json", action="store_true", help="print the page with all it carries as JSON")
    read.add_argument("--base-url", default="", metavar="URL", help="what relative links are resolved against")
    read.add_argument(
        "--content-type", default="", metavar="TYPE", help="what it is, such as text/html (default: found out)"
    )
    read.add_argument(
        "--picture", type=Path, metavar="FILE", help="where the PNG of --format screenshot or pageshot goes"
    )
    add_reading_options(read)
    add_read_options(read)
    of_models = read.add_argument_group("language models")
    add_chat_options(of_models, help="describe images (--captions) and extract (--instruction, --json-schema) by it")
    of_models.add_argument(
        "--reader-lm", metavar="MODEL",
        help="let this language model write the Markdown of HTML pages, such as ReaderLM-v2 (needs the torch extra)",
    )  # fmt: skip
    of_models.add_argument("--truncate", action="store_true", help="cut HTML to this model's context")


def _read(options: argparse.Namespace) -> int:
    how = read_options(options)
    _check_picture(how, options.picture)
    chat = make_chat(options)
    if chat is None and (how.captions or how.extracts):
        raise ConfigError("--captions, --instruction and --json-schema need a model: name it with --chat-model.")
    if how.captions:
        import jina_components.models.images  # noqa: F401 (what it lacks is to be said before anything is fetched)
    converter = _make_converter(options)
    if converter is not None:
        how = replace(how, max_tokens=None)  # it is the model's
    with make_reader(options, html_converter=converter, captioner=chat, extractor=chat) as reader:
        source = sys.stdin.buffer.read() if options.source == "-" else options.source
        page = reader.read(source, options=how, base_url=options.base_url, content_type=options.content_type)
    if options.picture:
        options.picture.write_bytes(page.screenshot)
    if options.json:
        print_json({**asdict(page), "screenshot": base64.b64encode(page.screenshot).decode()})
    elif page.extracted is not None:
        print_json(page.extracted)
    elif page.chunks:
        for chunk in page.chunks:
            print_json(chunk)
    else:
        print(_with_page_numbers(page))
    for warning in page.warnings:
        print(f"jina-components: {with_flags(warning)}", file=sys.stderr)
    return 0


def _check_picture(how: ReadOptions, path: Path | None) -> None:
    """A picture is asked for by both its options or by none."""
    if (how.format in ("screenshot", "pageshot")) != (path is not None):
        raise ConfigError("A picture needs both --format screenshot (or pageshot) and --picture FILE.")


def _make_converter(options: argparse.Namespace) -> ReaderLM | None:
    if options.reader_lm is None:
        if options.truncate:
            raise ConfigError("--truncate is about a language model: name it with --reader-lm.")
        return None
    from jina_components.reader_lm import ReaderLM

    max_tokens = _MAX_TOKENS if options.max_tokens is None else options.max_tokens
    return ReaderLM(options.reader_lm, max_tokens=max_tokens, truncate=options.truncate)


def _with_page_numbers(page: Page) -> str:
    """The content; for paged sources each page under a comment with its number."""
    if not page.page_offsets:
        return page.content
    edges = pairwise([*page.page_offsets, len(page.content)])
    return "\n".join(
        f"<!-- page {number} -->\n\n{page.content[start:end].strip()}\n" for number, (start, end) in enumerate(edges, 1)
    )
