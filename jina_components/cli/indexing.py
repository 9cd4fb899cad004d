"""`index` and `search`: an index on disk, and what it finds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.cli.common import (
    NOTHING_TO_READ,
    Commands,
    add_command,
    add_reading_options,
    parse_filter,
    print_json,
    read_sources,
    shows_progress,
)
from jina_components.cli.vectors import add_embedder_option, make_embedder
from jina_components.errors import InputError, ReadError
from jina_components.types import Document, Reading, shorten

if TYPE_CHECKING:
    from jina_components.retriever import Retriever


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    index = add_command(
        commands, "index", _index,
        help="read files, folders and URLs and index their chunks; sources read again are replaced",
        examples="""
            jina-components index docs/ manual.pdf https://example.com --to my.index
        """,
    )  # fmt: skip
    index.add_argument("sources", nargs="+", metavar="PATH", help="file, folder or URL")
    index.add_argument("--to", required=True, type=Path, metavar="DIR", help="the index; made if it is not there")
    add_embedder_option(index)
    add_reading_options(index)

    search = add_command(
        commands, "search", _search,
        help="find the chunks of an index that match a query, best first",
        examples="""
            jina-components search "how to install" --index my.index
            jina-components search tides --index my.index --filter page=2 --json | jq -r .text
        """,
    )  # fmt: skip
    search.add_argument("query", metavar="QUERY")
    search.add_argument("--index", required=True, type=Path, metavar="DIR", help="made by `jina-components index`")
    search.add_argument("--top-k", type=int, default=10, metavar="N", help="(default: %(default)s)")
    search.add_argument(
        "--mode", choices=["hybrid", "dense", "lexical"], default="hybrid", help="(default: %(default)s)"
    )
    search.add_argument(
        "--filter", action="append", default=[], metavar="NAME=VALUE",
        help="metadata a chunk must have; repeat a NAME for alternatives",
    )  # fmt: skip
    search.add_argument("--json", action="store_true", help="one JSON object a line")
    add_embedder_option(search)


def _index(options: argparse.Namespace) -> int:
    retriever, context = _open_or_make(options)
    # An index is asked from other directories too, and what is read again must be found under the same name.
    sources = [source if "://" in source else str(Path(source).resolve()) for source in options.sources]
    reading, chunks = read_sources(sources, options, context=context)
    read = {page.url for page in reading.pages}
    gone = _gone(_sources(retriever) - read, sources, reading)
    if not chunks and not gone:
        raise InputError(NOTHING_TO_READ)
    retriever.delete(filter={"source": [*read, *gone]})
    retriever.add(chunks, show_progress=shows_progress())
    retriever.save(options.to)
    removed = f", {len(gone)} removed" if gone else ""
    print(f"{options.to}: {len(read)} sources read{removed}, {len(chunks)} chunks added, {len(retriever)} in all")
    return 3 if reading.failures else 0


def _open_or_make(options: argparse.Namespace) -> tuple[Retriever, int | None]:
    """The index and its embedder's context. A new index is saved at once: so the directory is claimed and known fit."""
    from jina_components.retriever import Retriever
    from jina_components.retriever.directory import current_generation

    embedder = make_embedder(options)
    if current_generation(options.to) is not None:
        return Retriever.open(options.to, embedder), embedder.context
    retriever = Retriever(embedder)
    retriever.save(options.to)
    return retriever, embedder.context


def _sources(retriever: Retriever) -> set[str]:
    return {str(document.metadata.get("source")) for document in retriever.documents()}


def _gone(held: set[str], named: Sequence[str], reading: Reading) -> set[str]:
    """Sources of the index that were named, or are in a folder that was, and are no documents any more.

    One that could not be looked at this time (no permission, too large) keeps its place.
    """
    unread = [
        failure.source
        for failure in reading.failures
        if isinstance(failure.error, ReadError) and not isinstance(failure.error.__cause__, FileNotFoundError)
    ]
    return {
        source
        for source in held
        if any(_is_within(source, place) for place in named) and not any(_is_within(source, place) for place in unread)
    }


def _is_within(source: str, named: str) -> bool:
    """Whether a source is a local one that was named, or is in a folder that was."""
    return "://" not in source and Path(source).is_relative_to(named)


def _search(options: argparse.Namespace) -> int:
    from jina_components.retriever import Retriever

    retriever = Retriever.open(options.index, make_embedder(options))
    hits = retriever.retrieve(
        options.query, top_k=options.top_k, filter=parse_filter(options.filter), mode=options.mode
    )
    for rank, hit in enumerate(hits, 1):
        document = hit.document
        if options.json:
            print_json(
                {
                    "score": hit.score,
                    "id": document.id,
                    "text": document.text,
                    "metadata": dict(document.metadata),
                }
            )
        else:
            print(f"{rank}. {_place(document)}  (score {hit.score:.4f})\n   {shorten(document.text, 200)}")
    return 0 if hits else 1


def _place(document: Document) -> str:
    """Where a chunk stands, for people."""
    page = f", page {document.metadata['page']}" if "page" in document.metadata else ""
    return f"{document.metadata.get('source', document.id)}{page}"
