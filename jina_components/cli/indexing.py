"""`index`, `remove`, `search` and `maintain`: an index on disk, what it finds, and its upkeep."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jina_components.cli.common import (
    NOTHING_INDEXED,
    Commands,
    add_command,
    add_reading_options,
    counted,
    print_json,
)
from jina_components.cli.conditions import add_filter_option, parse_conditions
from jina_components.cli.scaling import add_scale_options, index
from jina_components.cli.vectors import add_embedder_option, make_embedder
from jina_components.errors import InputError
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.types import Document, Ranking, ScoredDocument

if TYPE_CHECKING:
    from jina_components.retriever.stores.faiss import FaissStore
    from jina_components.retriever.stores.faiss.repairs import StoreReport


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    command = add_command(
        commands, "index", _index,
        help="read files, folders and URLs and index their chunks; sources read again are replaced",
        examples="""
            jina-components index docs/ manual.pdf https://example.com --to my.index
            jina-components index docs/ --to my.index --workers 4 --checkpoint docs.done
        """,
    )  # fmt: skip
    command.add_argument("sources", nargs="+", metavar="PATH", help="file, folder or URL")
    command.add_argument("--to", required=True, type=Path, metavar="DIR", help="the index; made if it is not there")
    add_embedder_option(command)
    add_reading_options(command)
    add_scale_options(command)

    remove = add_command(
        commands, "remove", _remove,
        help="remove files, folders and URLs from an index, whether they are still there or not",
        examples="""
            jina-components remove docs/old.md --from my.index
            jina-components remove docs/drafts https://example.com/a --from my.index
        """,
    )  # fmt: skip
    remove.add_argument(
        "sources", nargs="+", metavar="PATH", help="file, folder or URL, as `index` or `search` names it"
    )
    remove.add_argument(
        "--from", required=True, type=Path, dest="index", metavar="DIR", help="made by `jina-components index`"
    )

    search = add_command(
        commands, "search", _search,
        help="find the chunks of an index that match a query, best first",
        examples="""
            jina-components search "how to install" --index my.index
            jina-components search tides --index my.index --filter page=2 --json | jq -r .text
            jina-components search tides --index my.index --filter "page>=10" --rerank --explain
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
    work.add_argument("--repair", action="store_true", help="make again what can be, and drop texts that are damaged")
    work.add_argument("--compact", action="store_true", help="remove deleted documents off the disk now")
    add_embedder_option(maintain)


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
    from jina_components.retriever.stores.faiss import FaissStore

    with FaissStore(options.to) as store:
        report = index(options, store, make_embedder(options))
        if not report.sources and not report.complete and not report.gone:
            raise InputError(NOTHING_INDEXED)
        before = f", {report.complete} complete before" if report.complete else ""
        removed = f", {report.gone} removed" if report.gone else ""
        print(
            f"{options.to}: {counted(report.sources, 'source')} read{before}{removed}, "
            f"{counted(report.chunks, 'chunk')} added, {store.count()} in all"
        )
    return 3 if report.failures else 0


def _remove(options: argparse.Namespace) -> int:
    from jina_components.retriever.stores.faiss import FaissStore
    from jina_components.scale import remove_sources

    with FaissStore(options.index, must_exist=True) as store:
        removed = remove_sources(options.sources, store)
        sources, left = counted(sum(removed.values()), "source"), counted(store.count(), "chunk")
        print(f"{options.index}: {sources} removed, {left} left")
    for source, count in removed.items():
        if not count:
            print(f"jina-components: not in the index: {source}", file=sys.stderr)
    return 0 if any(removed.values()) else 1


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
    from jina_components.cli.excerpts import excerpt

    for failure in hits.failures:
        print(f"jina-components: {failure.error}", file=sys.stderr)
    for rank, hit in enumerate(hits, 1):
        if options.json:
            print_json(_as_json(hit, explain=options.explain))
            continue
        text = hit.document.text if options.context else excerpt(hit.document.text, options.query)
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
        for what, names in (
            ("lost", report.lost),
            ("lost, a note of the index", report.lost_notes),
            ("lost its vector", report.lost_vectors),
            ("lost the vectors of its tokens", report.lost_token_vectors),
            ("left over, which --compact removes", report.leftovers),
        ):
            for name in names:
                print(f"{what}: {name}")
        if not report.problems:
            print(f"{options.index}: whole, {store.count()} documents")
            return 0
        if options.repair:
            return _finish_repair(options, store, report)
    print(f"{options.index}: damaged; `jina-components maintain {options.index} --repair` makes again what can be")
    return 2


def _finish_repair(options: argparse.Namespace, store: FaissStore, report: StoreReport) -> int:
    """Embed again what lost its vectors, and say what is left to do."""
    from jina_components.retriever import Retriever

    bare = list(dict.fromkeys([*report.lost_vectors, *report.lost_token_vectors]))
    embedded = Retriever(make_embedder(options), store=store).embed_again(bare) if bare else 0
    again = "; index their sources again" if report.lost else ""
    model = "; open it with the embedder it was made with" if "embedder" in report.lost_notes else ""
    print(
        f"{options.index}: repaired, {store.count()} documents, {embedded} embedded again, "
        f"{len(report.lost)} lost{again}{model}"
    )
    return 3 if report.lost or report.lost_notes else 0


def _place(document: Document) -> str:
    """Where a chunk stands, for people."""
    page = f", page {document.metadata['page']}" if "page" in document.metadata else ""
    return f"{document.metadata.get('source', document.id)}{page}"
