"""`embed` and `models`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jina_components.cli.common import Commands, add_command, print_json, read_text, shows_progress
from jina_components.models.catalog import DEFAULT_EMBEDDER, MODELS

if TYPE_CHECKING:
    from jina_components.embedder import Embedder


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    embed = add_command(
        commands, "embed", _embed,
        help="embed texts into vectors, one JSON object a line",
        examples="""
            jina-components embed "first text" "second text"
            cat lines.txt | jina-components embed --task retrieval.passage > vectors.jsonl
        """,
    )  # fmt: skip
    embed.add_argument("texts", nargs="*", metavar="TEXT", help="texts; without any, the lines of standard input")
    add_embedder_option(embed)
    embed.add_argument("--task", help="retrieval.query, retrieval.passage, text-matching, classification, separation")
    embed.add_argument("--dimensions", type=int, metavar="N", help="keep the first N components")
    embed.add_argument("--truncate", action="store_true", help="cut texts to the model's context")

    models = add_command(
        commands, "models", _models,
        help="list the models known by name",
        examples="""
            jina-components models
            jina-components models --json | jq -r .name
        """,
    )  # fmt: skip
    models.add_argument("--json", action="store_true", help="one JSON object a line")


def add_embedder_option(parser: argparse.ArgumentParser) -> None:
    """`--embedder`, the same for every command that embeds."""
    parser.add_argument(
        "--embedder",
        default=DEFAULT_EMBEDDER,
        metavar="MODEL",
        help="catalog name, folder or hub id (default: %(default)s)",
    )


def make_embedder(options: argparse.Namespace) -> Embedder:
    """The embedder asked for; chunks are cut to fit it, and what a foreign tokenizer still finds too long is cut."""
    from jina_components.embedder import Embedder

    return Embedder(options.embedder, truncate=True)


def _embed(options: argparse.Namespace) -> int:
    from jina_components.embedder import Embedder

    texts = options.texts or [line for line in read_text("-").splitlines() if line.strip()]
    embedder = Embedder(options.embedder, dimensions=options.dimensions, truncate=options.truncate)
    vectors = embedder.embed(texts, task=options.task, show_progress=shows_progress()).vectors
    for text, vector in zip(texts, vectors, strict=True):
        print_json({"text": text, "embedding": [round(float(value), 7) for value in vector]})
    return 0


def _models(options: argparse.Namespace) -> int:
    rows = [
        {
            "name": spec.name, "kind": spec.kind, "dimensions": spec.dimensions, "context": spec.context,
            "languages": list(spec.languages), "license": spec.license,
            "files": "bundled" if spec.bundled else spec.hub_id,
        }
        for spec in MODELS
    ]  # fmt: skip
    if options.json:
        for row in rows:
            print_json(row)
        return 0
    print(f"{'name':<38}{'kind':<18}{'dim':>5}{'context':>9}  {'license':<12}files")
    for row in rows:
        dimensions = row["dimensions"] or "-"
        print(
            f"{row['name']:<38}{row['kind']:<18}{dimensions:>5}{row['context']:>9}  {row['license']:<12}{row['files']}"
        )
    return 0
