"""`embed-file`, and the work of `index`: here, in several processes or on Ray."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from jina_components.cli.common import (
    Commands,
    add_command,
    fitting_segmenter,
    make_reader,
    print_json,
    shows_progress,
    tell_failures,
)
from jina_components.cli.vectors import add_embedder_option
from jina_components.types import StorageType

if TYPE_CHECKING:
    from jina_components.embedder import Embedder
    from jina_components.protocols import Store
    from jina_components.scale import IndexReport


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    embed = add_command(
        commands, "embed-file", _embed_file,
        help="embed the texts of a JSON Lines, CSV or Parquet file into shards of vectors; run again, it goes on",
        examples="""
            jina-components embed-file texts.jsonl --to vectors --id-column id
            jina-components embed-file texts.parquet --to vectors --storage-type int8 --workers 4
            jina-components embed-file texts.csv.gz --to vectors --format npy --skip-bad --json
        """,
    )  # fmt: skip
    embed.add_argument("source", type=Path, metavar="INPUT", help=".jsonl, .csv or .tsv, each also .gz; or .parquet")
    embed.add_argument("--to", required=True, type=Path, metavar="DIR", help="the shards; made if it is not there")
    embed.add_argument("--column", default="text", metavar="NAME", help="of the texts (default: %(default)s)")
    embed.add_argument("--id-column", metavar="NAME", help="of the ids (default: the number of the line)")
    embed.add_argument("--format", choices=["parquet", "npy"], default="parquet", help="(default: %(default)s)")
    embed.add_argument("--shard-rows", type=int, default=10_000, metavar="N", help="(default: %(default)s)")
    embed.add_argument(
        "--task", default="retrieval.passage", help="as for `embed`; none: the model's default (default: %(default)s)"
    )
    embed.add_argument("--dimensions", type=int, metavar="N", help="keep the first N components")
    embed.add_argument(
        "--storage-type", choices=get_args(StorageType), default="float32", help="(default: %(default)s)"
    )
    embed.add_argument("--truncate", action="store_true", help="cut texts to the model's context")
    embed.add_argument(
        "--skip-bad", action="store_true",
        help="leave rows out that cannot be embedded, and list them in DIR/failures.jsonl, rather than stop",
    )  # fmt: skip
    embed.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)")
    embed.add_argument("--json", action="store_true", help="the summary as a JSON object")
    add_embedder_option(embed)


def _embed_file(options: argparse.Namespace) -> int:
    from jina_components.embedder import Embedder
    from jina_components.scale import embed_file

    report = embed_file(
        options.source,
        to=options.to,
        embedder=Embedder(options.embedder, truncate=options.truncate),
        column=options.column,
        id_column=options.id_column,
        format=options.format,
        shard_rows=options.shard_rows,
        task=None if options.task == "none" else options.task,
        dimensions=options.dimensions,
        storage_type=options.storage_type,
        skip_bad=options.skip_bad,
        workers=options.workers,
        show_progress=shows_progress(),
    )
    if report.failures:
        place = options.to / "failures.jsonl"
        print(f"jina-components: {report.failures} rows were left out; {place} lists them", file=sys.stderr)
    if options.json:
        print_json({**asdict(report), "tokens_per_second": round(report.tokens_per_second, 1)})
    else:
        print(
            f"{options.to}: {report.rows} rows in {report.shards} shards ({report.resumed} from before), "
            f"{report.tokens} tokens in {report.seconds:.1f} s ({report.tokens_per_second:.0f} tokens/s)"
        )
    return 3 if report.failures else 0


def add_scale_options(index: argparse.ArgumentParser) -> None:
    """Options of `index` that spread its work."""
    index.add_argument("--workers", type=int, default=1, metavar="N", help="processes, or with --ray actors that embed")
    index.add_argument("--ray", metavar="ADDRESS", help="work on a Ray cluster: local, auto or HOST:PORT of its head")
    index.add_argument(
        "--gpus-per-worker", type=float, default=0.0, metavar="N", help="with --ray (default: %(default)s)"
    )
    index.add_argument(
        "--checkpoint", type=Path, metavar="DIR",
        help="note here which sources are done: run again after a kill, the rest is read; later, what has changed",
    )  # fmt: skip


def index(options: argparse.Namespace, store: Store, embedder: Embedder) -> IndexReport:
    """Index the sources into a store; what failed or is empty goes to standard error."""
    from jina_components.scale import index_sources

    if options.ray is not None:  # of this process, which is the command's own
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
    with make_reader(options) as reader:
        report = index_sources(
            options.sources,
            store,
            reader=reader,
            segmenter=fitting_segmenter(embedder.context),
            embedder=embedder,
            checkpoint=options.checkpoint,
            workers=options.workers,
            ray_address=options.ray,
            gpus_per_worker=options.gpus_per_worker,
            prune=True,
            show_progress=shows_progress(),
        )
    for source in report.empty:
        print(f"jina-components: skipped, for it is empty: {source}", file=sys.stderr)
    tell_failures(report.failures)
    return report
