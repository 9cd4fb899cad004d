"""`index`, `search` and `maintain`: an index on disk, what it finds, and its upkeep."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jina_components.cli.common import (
    NOTHING_TO_READ,
    Commands,
    add_command,
    add_reading_options,
    print_json,
    read_sources,
    shows_progress,
)
from jina_components.cli.conditions import add_filter_option, parse_conditions
from jina_components.cli.scaling import add_scale_options, index_at_scale, is_at_scale
from jina_components.cli.vectors import add_embedder_option, make_embedder
from jina_components.errors import InputError, ReadError
from jina_components.filters import Field
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.types import Document, Ranking, Reading, ScoredDocument, shorten

if TYPE_CHECKING:
    from jina_components.embedder import Embedder
    from jina_components.retriever import Retriever


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    index = add_command(
        commands, "index", _index,
        help="read files, folders and URLs and index their chunks; sources read again are replaced",
        examples="""
            jina-components index docs/ manual.pdf https://example.com --to my.index
            jina-components index docs/ --to my.index --workers 4 --checkpoint docs.done
        """,
    )  # fmt: skip
    index.add_argument("sources", nargs="+", metavar="PATH", help="file, folder or URL")
    index.add_argument("--to", required=True, type=Path, metavar="DIR", help="the index; made if it is not there")
    add_embedder_option(index)
    add_reading_options(index)
    add_scale_options(index)

    search = add_command(
        commands, "search", _search,
        help="find the chunks of an index that match a query, best first",
        examples="""
            jina-components search "how to install" --index my.index
            jina-components search tides --index my.index --filter page=2 --json | jq -r .text
            jina-components search tides --index my.index --filter "date>=2024-01-01" --rerank --explain
        """,
    )  # fmt: skip
    search.add_argument("query", metavar="QUERY")
    search.add_argument("--index", required=True, type=Path, metavar="DIR", help="made by `jina-components index`")
    _add_search_options(search)
    add_embedder_option(search)

    maintain = add_command(
        commands, "maintain", _maintain,
        help="read all of an index and say what is damaged, and repair or compact it",
        examples="""
            jina-components maintain my.index
            jina-components maintain my.index --repair
        """,
    )  # fmt: skip
    maintain.add_argument("index", type=Path, metavar="DIR", help="made by `jina-components index`")
    work = maintain.add_mutually_exclusive_group()
    work.add_argument("--repair", action="store_true", help="make again what can be, and drop what is lost, by id")
    work.add_argument("--compact", action="store_true", help="remove deleted documents off the disk now")


def _add_search_options(search: argparse.ArgumentParser) -> None:
    search.add_argument("--top-k", type=int, default=10, metavar="N", help="(default: %(default)s)")
    search.add_argument(
        "--mode", choices=["hybrid", "dense", "lexical"], help="what ranks: meaning, words, or both (default: hybrid)"
    )
    add_filter_option(search)
    search.add_argument(
        "--rerank", nargs="?", const=DEFAULT_RERANKER, metavar="MODEL",
        help=f"let a reranker judge the best candidates again (default: {DEFAULT_RERANKER})",
    )  # fmt: skip
    search.add_argument(
        "--min-score", type=float, metavar="SCORE", help="leave out hits below: of the reranker, else of the mode"
    )
    search.add_argument(
        "--diversity", type=float, default=0.0, metavar="SHARE",
        help="from 0 to 1: how much being unlike the hits before counts (default: %(default)s)",
    )  # fmt: skip
    search.add_argument(
        "--context", type=int, metavar="N", help="one hit a source, with up to N characters of it around the best chunk"
    )
    search.add_argument("--explain", action="store_true", help="say what each stage thought of a hit: score and rank")
    search.add_argument("--json", action="store_true", help="one JSON object a line")


def _index(options: argparse.Namespace) -> int:
    embedder = make_embedder(options)
    with _open_or_make(options, embedder) as retriever:
        held = _sources(retriever)  # which makes the directory: so it is known to be fit
        # An index is asked from other directories too, and what is read again must be found under the same name.
        sources = [source if "://" in source else str(Path(source).resolve()) for source in options.sources]
        if is_at_scale(options):
            return _index_at_scale(sources, options, retriever, embedder, held)
        reading, chunks = read_sources(sources, options, context=embedder.context)
        read = {page.url for page in reading.pages}
        gone = _gone(held - read, sources, reading)
        if not chunks and not gone:
            raise InputError(NOTHING_TO_READ)
        added = _replace(retriever, chunks, read | gone)
        removed = f", {len(gone)} removed" if gone else ""
        print(f"{options.to}: {len(read)} sources read{removed}, {added} chunks added, {len(retriever)} in all")
    return 3 if reading.failures else 0


def _index_at_scale(
    sources: Sequence[str], options: argparse.Namespace, retriever: Retriever, embedder: Embedder, held: set[str]
) -> int:
    report = index_at_scale(sources, options, retriever.store, embedder)
    # What is gone is told from the disk: the cause of an error stays in the worker that met it.
    named = {source for source in held if any(_is_within(source, place) for place in sources)}
    gone = {source for source in named if not Path(source).exists()}
    retriever.delete(filter=Field("source").is_in(gone))
    removed = f", {len(gone)} removed" if gone else ""
    print(
        f"{options.to}: {report.sources} sources read, {report.complete} complete before{removed}, "
        f"{report.chunks} chunks added, {len(retriever)} in all"
    )
    return 3 if report.failures else 0


def _open_or_make(options: argparse.Namespace, embedder: Embedder) -> Retriever:
    """The index; one that is there is checked to be this embedder's."""
    from jina_components.retriever import Retriever
    from jina_components.retriever.stores.faiss import FaissStore
    from jina_components.retriever.stores.faiss.layout import Layout

    if Layout(options.to.absolute()).exists():
        return Retriever.open(options.to, embedder)
    return Retriever(embedder, store=FaissStore(options.to))


def _replace(retriever: Retriever, chunks: Sequence[Document], sources: set[str]) -> int:
    """Make these the chunks of the sources; how many are new. Those that are there already are not embedded again."""
    old = {chunk.id for chunk in retriever.documents(filter=Field("source").is_in(sources))}
    new = [chunk for chunk in chunks if chunk.id not in old]
    retriever.add(new, show_progress=shows_progress())  # first, so that no source is lost, whatever interrupts this
    retriever.delete(sorted(old - {chunk.id for chunk in chunks}))
    return len(new)


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
    from jina_components.reranker import Reranker
    from jina_components.retriever import Parents, Retriever

    embedder = None if options.mode == "lexical" else make_embedder(options)
    reranker = Reranker(options.rerank) if options.rerank else None
    with Retriever.open(options.index, embedder, reranker=reranker) as retriever:
        hits = retriever.retrieve(
            options.query,
            top_k=options.top_k,
            filter=parse_conditions(options.filter),
            mode=options.mode,
            min_score=options.min_score,
            diversity=options.diversity,
            parents=None if options.context is None else Parents(max_length=options.context),
        )
    _print_hits(hits, options)
    return 0 if hits else 1


def _print_hits(hits: Ranking, options: argparse.Namespace) -> None:
    for failure in hits.failures:
        print(f"jina-components: {failure.error}", file=sys.stderr)
    for rank, hit in enumerate(hits, 1):
        if options.json:
            print_json(_as_json(hit, explain=options.explain))
            continue
        text = hit.document.text if options.context else shorten(hit.document.text, 200)
        print(f"{rank}. {_place(hit.document)}  (score {hit.score:.4f})\n   {text}")
        if options.explain:
            print("   " + ", ".join(f"{why.stage} {why.score:.4f} (#{why.rank})" for why in hit.why))


def _as_json(hit: ScoredDocument, *, explain: bool) -> dict[str, Any]:
    document = hit.document
    line: dict[str, Any] = {
        "score": hit.score, "id": document.id, "text": document.text, "metadata": dict(document.metadata)
    }  # fmt: skip
    return {**line, "why": [asdict(why) for why in hit.why]} if explain else line


def _maintain(options: argparse.Namespace) -> int:
    from jina_components.retriever.stores.faiss import FaissStore

    with FaissStore(options.index, must_exist=True) as store:
        if options.compact:
            store.compact()
            print(f"{options.index}: compacted, {store.count()} documents")
            return 0
        report = store.repair() if options.repair else store.verify()
        for problem in report.problems:
            print(f"damaged: {problem}")
        for name in report.lost:
            print(f"lost: {name}")
        if not report.problems:
            print(f"{options.index}: whole, {store.count()} documents")
            return 0
        if options.repair:
            print(f"{options.index}: repaired, {store.count()} documents, {len(report.lost)} lost")
            return 0
    print(f"{options.index}: damaged; `jina-components maintain {options.index} --repair` makes again what can be")
    return 2


def _place(document: Document) -> str:
    """Where a chunk stands, for people."""
    page = f", page {document.metadata['page']}" if "page" in document.metadata else ""
    return f"{document.metadata.get('source', document.id)}{page}"
