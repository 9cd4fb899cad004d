"""`read` and `segment`: sources into Markdown, texts into chunks."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING

from jina_components.cli.common import (
    Commands,
    add_command,
    add_reading_options,
    make_reader,
    print_json,
    read_text,
)
from jina_components.errors import ConfigError
from jina_components.types import Page

if TYPE_CHECKING:
    from jina_components.reader_lm import ReaderLM

_MAX_TOKENS = 8192  # as ReaderLM's own


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    read = add_command(
        commands, "read", _read,
        help="read a URL or file (HTML, PDF, Markdown, text) into clean Markdown",
        examples="""
            jina-components read https://example.com
            jina-components read paper.pdf --json | jq .title
            jina-components read page.html --reader-lm ReaderLM-v2
            jina-components read page.html --reader-lm ReaderLM-v2 --max-tokens 2000 --truncate
        """,
    )  # fmt: skip
    read.add_argument("source", metavar="SOURCE", help="URL or path")
    read.add_argument("--json", action="store_true", help="print the page with all it carries as JSON")
    read.add_argument(
        "--reader-lm", metavar="MODEL",
        help="let this language model write the Markdown of HTML pages, such as ReaderLM-v2 (needs the torch extra)",
    )  # fmt: skip
    read.add_argument(
        "--max-tokens", type=int, metavar="N",
        help=f"longest Markdown that this model writes (default: {_MAX_TOKENS})",
    )  # fmt: skip
    read.add_argument("--truncate", action="store_true", help="cut HTML to this model's context")
    add_reading_options(read)

    segment = add_command(
        commands, "segment", _segment,
        help="cut a text into chunks with exact offsets, one JSON object a line",
        examples="""
            jina-components segment README.md
            jina-components segment - --unit tokens --max-chunk-length 256 --overlap 32 < notes.txt
        """,
    )  # fmt: skip
    segment.add_argument("file", metavar="FILE", help="file, or - for standard input")
    segment.add_argument("--max-chunk-length", type=int, default=1000, metavar="N", help="(default: %(default)s)")
    segment.add_argument(
        "--unit", choices=["characters", "tokens"], default="characters", help="(default: %(default)s)"
    )
    segment.add_argument("--overlap", type=int, default=0, metavar="N", help="(default: %(default)s)")


def _read(options: argparse.Namespace) -> int:
    page = make_reader(options, html_converter=_make_converter(options)).read(options.source)
    if options.json:
        print_json(asdict(page))
    else:
        print(_with_page_numbers(page))
    return 0


def _make_converter(options: argparse.Namespace) -> ReaderLM | None:
    if options.reader_lm is None:
        if options.truncate or options.max_tokens is not None:
            raise ConfigError("--max-tokens and --truncate are about a language model: name it with --reader-lm.")
        return None
    from jina_components.reader_lm import ReaderLM

    max_tokens = _MAX_TOKENS if options.max_tokens is None else options.max_tokens
    return ReaderLM(options.reader_lm, max_tokens=max_tokens, truncate=options.truncate)


def _segment(options: argparse.Namespace) -> int:
    from jina_components.segmenter import Segmenter

    segmenter = Segmenter(max_chunk_length=options.max_chunk_length, length_unit=options.unit, overlap=options.overlap)
    for chunk in segmenter.segment(read_text(options.file)).chunks:
        print_json(asdict(chunk))
    return 0


def _with_page_numbers(page: Page) -> str:
    """The content; for paged sources each page under a comment with its number."""
    if not page.page_offsets:
        return page.content
    edges = pairwise([*page.page_offsets, len(page.content)])
    return "\n".join(
        f"<!-- page {number} -->\n\n{page.content[start:end].strip()}\n" for number, (start, end) in enumerate(edges, 1)
    )
