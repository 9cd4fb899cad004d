"""`ask`: a question into a cited answer; and what all commands that answer share."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from jina_components.cli.common import (
    NOTHING_TO_READ,
    Commands,
    add_chat_options,
    add_command,
    add_reading_options,
    counted,
    make_chat,
    print_json,
    read_sources,
    readable,
    shows_progress,
    tell,
    warn,
)
from jina_components.cli.vectors import add_embedder_option, make_embedder
from jina_components.errors import ConfigError, InputError
from jina_components.models.catalog import BY_NAME, DEFAULT_RERANKER
from jina_components.types import Answer, Citation, shorten

if TYPE_CHECKING:
    from jina_components.embedder import Embedder
    from jina_components.protocols import ChatModel, SupportsGround, SupportsRerank
    from jina_components.retriever import Retriever

EXIT_CODES = """
    0  answered
    1  not answered: the sources do not tell
    2  wrong usage or input, or a failure
    3  answered, but some of the files, folders and URLs named could not be read
"""

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
        exit_codes=EXIT_CODES,
    )  # fmt: skip
    ask.add_argument("question", metavar="QUESTION")
    add_corpus_options(ask)
    ask.add_argument("--json", action="store_true", help="print the answer with its citations as JSON")
    add_chat_options(ask, help="let this chat model write the answer from the same quotes")
    add_reading_options(ask)


def add_corpus_options(parser: argparse.ArgumentParser) -> None:
    """What to answer from, and the models that find it."""
    parser.add_argument("sources", nargs="*", metavar="PATH", help="file, folder or URL to answer from")
    parser.add_argument(
        "--index", type=Path, metavar="DIR", help="answer from an index made by `jina-components index`"
    )
    add_embedder_option(parser)
    parser.add_argument(
        "--reranker",
        default=DEFAULT_RERANKER,
        metavar="MODEL",
        help="catalog name, folder or hub id (default: %(default)s)",
    )
    parser.add_argument(
        "--min-relevance", type=float, metavar="SCORE",
        help=f"give no answer below (default: what the catalog has for the reranker, {BY_NAME[DEFAULT_RERANKER].bar} "
        f"for the default one; {_BAR} for one that it does not know); "
        "a chat model decides by itself",
    )  # fmt: skip


def relevance_bar(options: argparse.Namespace) -> float:
    """The least relevance of an answer, of `add_corpus_options`."""
    if options.min_relevance is not None:
        return float(options.min_relevance)
    return BY_NAME[options.reranker].bar if options.reranker in BY_NAME else _BAR


@contextmanager
def open_corpus(options: argparse.Namespace, embedder: Embedder) -> Iterator[tuple[Retriever, bool]]:
    """What `add_corpus_options` names, and whether a source of it could not be read. An index stays as it is."""
    from jina_components.retriever import Retriever

    if not options.sources:
        with Retriever.open(options.index, embedder) as retriever:
            yield retriever, False
        return
    with TemporaryDirectory() as copy, _writable(options, embedder, copy) as retriever:
        tell(options, f"reading {shorten(', '.join(options.sources), 100)} …")
        reading, chunks = read_sources(options.sources, options, context=embedder.context)
        if not chunks:
            raise InputError(NOTHING_TO_READ)
        tell(options, f"indexing {counted(len(chunks), 'passage')} …")
        retriever.add(chunks, show_progress=shows_progress())
        yield retriever, bool(reading.failures)


def make_grounder(chat: ChatModel | None, reranker: SupportsRerank) -> SupportsGround | None:
    """What verifies the sentences that a chat model writes; quotes alone need none."""
    if chat is None:
        return None
    from jina_components.entailment import EntailmentScorer
    from jina_components.grounder import Grounder

    return Grounder(entailment=EntailmentScorer(), reranker=reranker)


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """An answer on standard output, its warnings on standard error."""
    warn(answer.warnings)
    if as_json:
        print_json({name: value for name, value in asdict(replace(answer, trace=None)).items() if name != "trace"})
    else:
        print(_render(answer), flush=True)


def exit_code(answer: Answer, *, failed: bool) -> int:
    """As `EXIT_CODES` has it; `failed` tells whether a source could not be read."""
    if not answer.answered:
        return 1
    return 3 if failed else 0


def _ask(options: argparse.Namespace) -> int:
    from jina_components.deep_search import DeepSearchAgent
    from jina_components.deep_search.conversation import read_conversation
    from jina_components.deep_search_options import DeepSearchOptions
    from jina_components.reranker import Reranker

    if not options.sources and options.index is None:
        raise ConfigError("ask needs something to answer from: give files, folders or URLs, or --index DIR.")
    read_conversation(options.question)  # before anything slow
    chat, embedder, reranker = make_chat(options), make_embedder(options), Reranker(options.reranker)
    with open_corpus(options, embedder) as (retriever, failed):
        agent = DeepSearchAgent(
            retriever,
            reranker=reranker,
            embedder=embedder,
            grounder=make_grounder(chat, reranker),
            chat=chat,
            options=DeepSearchOptions(reasoning_effort="low"),
            min_relevance=relevance_bar(options),
        )
        answer = agent.run(options.question)
    print_answer(answer, as_json=options.json)
    return exit_code(answer, failed=failed)


def _writable(options: argparse.Namespace, embedder: Embedder, copy: str) -> Retriever:
    """An empty retriever, or one of a copy of the index."""
    from jina_components.retriever import Retriever

    if options.index is None:
        return Retriever(embedder)
    with Retriever.open(options.index, embedder) as held:
        held.save(copy)
    return Retriever.open(copy, embedder)


def _render(answer: Answer) -> str:
    """Markdown, whose footnotes are the quotes."""
    notes = []
    for number, citation in enumerate(answer.citations, 1):
        quote = citation.quote.replace("\n", "\n    ")  # so that all of it belongs to the footnote
        notes.append(f"[^{number}]: {_place(citation)}\n    “{quote}”")
    return readable("\n".join([answer.text, *([""] if notes else []), *notes]))


def _place(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page else ""
    title = f"{citation.title} — " if citation.title and citation.title != citation.source else ""
    return f"{title}{citation.source}{page}, characters {citation.start}–{citation.end}"
