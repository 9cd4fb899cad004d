"""`ask`: a question into a cited answer."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from jina_components.cli.common import (
    NOTHING_TO_READ,
    Commands,
    add_chat_options,
    add_command,
    add_reading_options,
    make_chat,
    print_json,
    read_sources,
    shows_progress,
)
from jina_components.cli.vectors import add_embedder_option, make_embedder
from jina_components.errors import ConfigError, InputError
from jina_components.models.catalog import BY_NAME, DEFAULT_RERANKER
from jina_components.types import Answer, Citation

if TYPE_CHECKING:
    from jina_components.embedder import Embedder
    from jina_components.retriever import Retriever


_BAR = 0.5  # of a reranker that is not in the catalog


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    ask = add_command(
        commands, "ask", _ask,
        help="answer a question from files, folders, URLs or an index, with verbatim quotes",
        examples="""
            jina-components ask "How do I install it?" README.md docs/
            jina-components ask "What is the warranty?" --index my.index --json
            jina-components ask "Why?" report.pdf --chat-model llama3.1 --chat-url http://localhost:11434/v1
        """,
    )  # fmt: skip
    ask.add_argument("question", metavar="QUESTION")
    ask.add_argument("sources", nargs="*", metavar="PATH", help="file, folder or URL to answer from")
    ask.add_argument("--index", type=Path, metavar="DIR", help="answer from an index made by `jina-components index`")
    ask.add_argument("--json", action="store_true", help="print the answer with its citations as JSON")
    add_chat_options(ask, help="let this chat model write the answer from the same quotes")
    add_embedder_option(ask)
    ask.add_argument(
        "--reranker",
        default=DEFAULT_RERANKER,
        metavar="MODEL",
        help="catalog name, folder or hub id (default: %(default)s)",
    )
    ask.add_argument(
        "--min-relevance", type=float, metavar="SCORE",
        help=f"give no answer below (default: {_BAR}, unless the catalog has another for the reranker)",
    )  # fmt: skip
    add_reading_options(ask)


def _ask(options: argparse.Namespace) -> int:
    from jina_components.deep_search import DeepSearchAgent
    from jina_components.reranker import Reranker

    bar = options.min_relevance
    if bar is None:
        bar = BY_NAME[options.reranker].bar if options.reranker in BY_NAME else _BAR
    with _retriever(options) as (retriever, failures):
        agent = DeepSearchAgent(
            retriever, reranker=Reranker(options.reranker), chat=make_chat(options), min_relevance=bar
        )
        answer = agent.run(options.question)
    if options.json:
        print_json(asdict(answer))
    else:
        print(_render(answer))
    if not answer.answered:
        return 1
    return 3 if failures else 0


@contextmanager
def _retriever(options: argparse.Namespace) -> Iterator[tuple[Retriever, bool]]:
    """What to answer from, and whether a source of it could not be read. An index stays as it is."""
    from jina_components.retriever import Retriever

    if not options.sources and options.index is None:
        raise ConfigError("ask needs something to answer from: give files, folders or URLs, or --index DIR.")
    embedder = make_embedder(options)
    if not options.sources:
        with Retriever.open(options.index, embedder) as retriever:
            yield retriever, False
        return
    with TemporaryDirectory() as copy, _writable(options, embedder, copy) as retriever:
        reading, chunks = read_sources(options.sources, options, context=embedder.context)
        if not chunks:
            raise InputError(NOTHING_TO_READ)
        retriever.add(chunks, show_progress=shows_progress())
        yield retriever, bool(reading.failures)


def _writable(options: argparse.Namespace, embedder: Embedder, copy: str) -> Retriever:
    """An empty retriever, or one of a copy of the index."""
    from jina_components.retriever import Retriever

    if options.index is None:
        return Retriever(embedder)
    with Retriever.open(options.index, embedder) as held:
        held.save(copy)
    return Retriever.open(copy, embedder)


def _render(answer: Answer) -> str:
    notes = [
        f"[{number}] {_place(citation)}\n    “{citation.quote}”" for number, citation in enumerate(answer.citations, 1)
    ]
    return "\n".join([answer.text, *([""] if notes else []), *notes])


def _place(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page else ""
    title = f"{citation.title} — " if citation.title and citation.title != citation.source else ""
    return f"{title}{citation.source}{page}, characters {citation.start}–{citation.end}"
