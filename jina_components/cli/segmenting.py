"""`segment`: a text into chunks, or its tokens."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.cli.common import Commands, add_command, print_json, read_text
from jina_components.cli.vectors import make_embedder
from jina_components.errors import ConfigError, ReadError

if TYPE_CHECKING:
    from jina_components.segmenter import Segmenter

_OF_CHUNKS = ("max_length", "min_length", "unit", "overlap", "pieces", "language", "embedder")


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    segment = add_command(
        commands, "segment", _segment,
        help="cut a text into chunks with exact offsets, or count and show its tokens",
        examples="""
            jina-components segment README.md
            jina-components segment - --unit tokens --max-length 256 --overlap 32 --json < notes.txt
            jina-components segment app.py --language python
            jina-components segment README.md --count --tokenizer o200k_base
        """,
    )  # fmt: skip
    segment.add_argument("file", metavar="FILE", help="file, or - for standard input")
    segment.add_argument(
        "--tokenizer", default="bundled", metavar="NAME",
        help="what counts tokens: bundled, cl100k_base, o200k_base, p50k_base, p50k_edit, r50k_base, gpt2, "
        "or the path of a tokenizer.json (default: %(default)s)",
    )  # fmt: skip
    segment.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_chunk_options(segment.add_argument_group("chunks"))
    tokens = segment.add_argument_group("tokens instead of chunks").add_mutually_exclusive_group()
    tokens.add_argument("--count", action="store_true", help="how many tokens the text has")
    tokens.add_argument("--tokens", action="store_true", help="each token with its ids")
    tokens.add_argument("--head", type=int, metavar="N", help="the text up to its first N tokens")
    tokens.add_argument("--tail", type=int, metavar="N", help="the text from its last N tokens")


def _add_chunk_options(chunks: argparse._ArgumentGroup) -> None:
    chunks.add_argument(
        "--max-length", "--max-chunk-length", type=int, metavar="N", help="longest chunk (default: 1000)"
    )
    chunks.add_argument("--min-length", type=int, metavar="N", help="shortest chunk, where the text allows for it")
    chunks.add_argument("--unit", choices=["characters", "tokens"], help="of lengths (default: characters)")
    chunks.add_argument("--overlap", type=int, metavar="N", help="the most that a chunk repeats of the one before")
    chunks.add_argument(
        "--pieces", action="store_true", default=None, help="every line, list item, table … a chunk of its own"
    )
    chunks.add_argument(
        "--language", metavar="NAME",
        help="cut source code by its syntax: python, javascript, rust …; markdown: its fenced code too "
        "(needs the code extra)",
    )  # fmt: skip
    chunks.add_argument("--embedder", metavar="MODEL", help="cut where the topic changes, as this model sees it")


def _segment(options: argparse.Namespace) -> int:
    from jina_components.segmenter import Segmenter

    show = next((show for name, show in _SHOW.items() if _is_given(options, name)), None)
    given = [name for name in _OF_CHUNKS if _is_given(options, name)]
    if show and given:
        raise ConfigError(f"--{given[0].replace('_', '-')} is about chunks: leave it out, or ask for no tokens.")
    segmenter = Segmenter(
        max_chunk_length=1000 if options.max_length is None else options.max_length,
        min_chunk_length=options.min_length or 0,
        length_unit=options.unit or "characters",
        overlap=options.overlap or 0,
        tokenizer=options.tokenizer,
        pack=not options.pieces,
        language=options.language,
        embedder=make_embedder(options) if options.embedder else None,
    )
    (show or _show_chunks)(segmenter, _read(options), options)
    return 0


def _is_given(options: argparse.Namespace, name: str) -> bool:
    value = getattr(options, name)
    return value is not None and value is not False


def _read(options: argparse.Namespace) -> str:
    """The text; source code as it stands in the file, whatever its name and first lines say."""
    from jina_components.reader.charset import decode

    if options.language in (None, "markdown", "md"):
        return read_text(options.file)
    try:
        data = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    except OSError as error:
        raise ReadError(f"{options.file} cannot be read: {error.strerror}.", options.file) from error
    return decode(data).text


def _show_chunks(segmenter: Segmenter, text: str, options: argparse.Namespace) -> None:
    segmentation = segmenter.segment(text)
    for number, (chunk, utf16) in enumerate(zip(segmentation.chunks, segmentation.utf16_offsets, strict=True), 1):
        if options.json:
            print_json({**asdict(chunk), "utf16": utf16})
            continue
        heading = f", {chunk.heading}" if chunk.heading else ""
        print(f"--- {number}: {chunk.start} to {chunk.end}, {_tokens(chunk.num_tokens)}{heading}")
        print(chunk.text, end="" if chunk.text.endswith("\n") else "\n")
    if not options.json:
        count = len(segmentation.chunks)
        print(f"--- {count} chunk{'s' * (count != 1)}, {_tokens(segmentation.num_tokens)} ({segmentation.tokenizer})")


def _show_count(segmenter: Segmenter, text: str, options: argparse.Namespace) -> None:
    count = segmenter.count(text)
    if options.json:
        print_json({"num_tokens": count, "tokenizer": options.tokenizer})
    else:
        print(count)


def _show_tokens(segmenter: Segmenter, text: str, options: argparse.Namespace) -> None:
    for piece in segmenter.tokenize(text):
        if options.json:
            print_json({"text": piece.text, "ids": piece.ids})
        else:
            print(f"{' '.join(map(str, piece.ids)):>12}  {piece.text!r}")


def _show_head(segmenter: Segmenter, text: str, options: argparse.Namespace) -> None:
    _show_text(segmenter.head(text, options.head), options)


def _show_tail(segmenter: Segmenter, text: str, options: argparse.Namespace) -> None:
    _show_text(segmenter.tail(text, options.tail), options)


def _show_text(text: str, options: argparse.Namespace) -> None:
    if options.json:
        print_json({"text": text})
    else:
        print(text)


def _tokens(number: int) -> str:
    return f"{number} token{'s' * (number != 1)}"


_SHOW: Mapping[str, Callable[[Segmenter, str, argparse.Namespace], None]] = {
    "count": _show_count,
    "tokens": _show_tokens,
    "head": _show_head,
    "tail": _show_tail,
}
