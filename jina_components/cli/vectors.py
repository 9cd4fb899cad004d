"""`embed` and `models`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from jina_components.cli.common import Commands, add_command, print_json, read_text, shows_progress
from jina_components.models.catalog import DEFAULT_EMBEDDER, MODELS
from jina_components.models.files import on_disk
from jina_components.models.spec import ModelKind, ModelSpec

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
    embed.add_argument(
        "--task",
        help="what for: retrieval.query, retrieval.passage …; `models NAME --json` lists those of a model",
    )
    embed.add_argument("--dimensions", type=int, metavar="N", help="keep the first N components")
    embed.add_argument("--truncate", action="store_true", help="cut texts to the model's context")
    embed.add_argument(
        "--images", action="store_true", help="the arguments are paths or URLs of images (jina-clip-v2 …)"
    )

    models = add_command(
        commands, "models", _models,
        help="list the models known by name, and what of them is on this machine",
        examples="""
            jina-components models
            jina-components models colbert
            jina-components models --kind listwise --json | jq .tasks
        """,
    )  # fmt: skip
    models.add_argument("filter", nargs="?", default="", metavar="TEXT", help="only those with this in their name")
    models.add_argument("--kind", choices=get_args(ModelKind), help="only those of this kind")
    models.add_argument("--json", action="store_true", help="one JSON object a line, with all that is known")


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
    from jina_components.types import Image

    texts = options.texts or [line for line in read_text("-").splitlines() if line.strip()]
    embedder = Embedder(options.embedder, dimensions=options.dimensions, truncate=options.truncate)
    inputs = [Image(text) for text in texts] if options.images else texts
    vectors = embedder.embed(inputs, task=options.task, show_progress=shows_progress()).vectors
    for text, vector in zip(texts, vectors, strict=True):
        print_json(
            {"image" if options.images else "text": text, "embedding": [round(float(value), 7) for value in vector]}
        )
    return 0


def _models(options: argparse.Namespace) -> int:
    wanted = options.filter.casefold()
    specs = [
        spec
        for spec in MODELS
        if options.kind in (None, spec.kind)
        and any(wanted in name.casefold() for name in (spec.name, spec.hub_id, *spec.aliases))
    ]
    if options.json:
        for spec in specs:
            print_json(_all_of(spec))
    elif specs:
        _print_table(specs)
    else:
        print("jina-components: no such model in the catalog; a folder or hub id needs no row", file=sys.stderr)
    return 0 if specs else 1


def _all_of(spec: ModelSpec) -> dict[str, Any]:
    from jina_components.models.embedding import TASKS

    return asdict(spec) | {
        "tasks": list(dict.fromkeys([*TASKS, *spec.prompts, *spec.adapters])) if spec.kind == "embedding" else [],
        "non_commercial": spec.non_commercial,
        "files": "bundled" if spec.bundled else spec.hub_id,
        "bytes_on_disk": on_disk(spec),
    }


def _dimensions(spec: ModelSpec) -> str:
    return str(spec.dimensions or "") or (f"n x {spec.token_dimensions[0]}" if spec.token_dimensions else "-")


def _languages(spec: ModelSpec) -> str:
    return "many" if "mul" in spec.languages or len(spec.languages) > 2 else " ".join(spec.languages)


def _count(number: int) -> str:
    if not number:
        return "-"
    return f"{number / 1e9:.2f}B" if number >= 1e9 else f"{number / 1e6:.3g}M"


def _megabytes(number: int) -> str:
    return f"{max(round(number / 1e6), 1)} MB" if number else "-"


# Heading, alignment and cell of each column.
_COLUMNS: tuple[tuple[str, str, Callable[[ModelSpec], str]], ...] = (
    ("name", "<", lambda spec: spec.name),
    ("kind", "<", lambda spec: "+".join([spec.kind, *(m for m in spec.modalities if m != "text")])),
    ("size", ">", lambda spec: _count(spec.parameters)),
    ("dims", ">", _dimensions),
    ("context", ">", lambda spec: str(spec.context)),
    ("lang", "<", _languages),
    ("license", "<", lambda spec: spec.license.removeprefix("LicenseRef-") + "*" * spec.non_commercial),
    ("on disk", ">", lambda spec: "bundled" if spec.bundled else _megabytes(on_disk(spec))),
)  # fmt: skip


def _print_table(specs: Sequence[ModelSpec]) -> None:
    lines = [[heading for heading, _, _ in _COLUMNS], *([cell(spec) for _, _, cell in _COLUMNS] for spec in specs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        columns = zip(line, _COLUMNS, widths, strict=True)
        print("  ".join(f"{text:{align}{width}}" for text, (_, align, _), width in columns).rstrip())
    if any(spec.non_commercial for spec in specs):
        print("\n* not for commercial use")
