"""Graphs that a model folder ships: written by hand for its weights, whose bytes they name as their own constants.

Nothing of the weights is stored twice, and nothing is made when a model is loaded. `graphs.json` says which weights
the graphs are for; it is written last.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, TypeAlias

from jina_components.errors import ModelFilesError
from jina_components.models.backends.onnx_locations import locations
from jina_components.models.fingerprint import sha256
from jina_components.models.layout import GRAPHS, Layout, read_json

Kind: TypeAlias = Literal["embedding", "cross-encoder"]

FILES = {"float32": "model.onnx", "int8": "model_int8.onnx"}
"""Graphs by the precision they compute in."""
# Raised when what runs graphs must know something else of them.
_REVISION = 2


def write_index(layout: Layout, kind: Kind) -> None:
    """Declare the graphs of a folder to be of a kind, and for the weights that are there."""
    index = {"revision": _REVISION, "kind": kind, "weights": _digests(layout)}
    (layout.folder / GRAPHS).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def find_graph(layout: Layout, kind: Kind, precision: str) -> Path:
    """The graph of a precision.

    Raises:
        ModelFilesError: it is missing or broken, takes constants from another file than the weights, or the graphs
            are for something else; says what.
    """
    index = read_json(layout.folder / GRAPHS, default={})
    found = {key: index.get(key) for key in ("revision", "kind")}
    if found != {"revision": _REVISION, "kind": kind}:
        raise _unfit(layout, f"declares {found}, where revision {_REVISION} and kind {kind!r} are needed")
    digests, declared = _digests(layout), index.get("weights")
    # Ranges and roundings of the int8 graph are those of the weights' numbers; constants at other places would be other
    # numbers; and beyond the end of a file, onnxruntime kills the process.
    if declared != digests:
        raise _unfit(layout, f"was written for other weights than the content of {', '.join(digests)}")
    graph = layout.folder / FILES[precision]
    if not graph.is_file():
        raise ModelFilesError(f"{graph} is missing: fetch the model again.")
    if foreign := locations(graph) - digests.keys():
        raise ModelFilesError(f"{graph} takes constants from {min(foreign)!r}, which is no weights file of the model.")
    return graph


def weight_paths(layout: Layout) -> list[Path]:
    """The files that hold a model's weights."""
    folders = {layout.transformer.folder, *(module.folder for module in layout.modules)}
    return sorted(path for folder in folders for path in folder.glob("model*.safetensors"))


def relative(path: Path, layout: Layout) -> str:
    """A path as graphs and their index name it, whatever the folder is called."""
    return path.relative_to(layout.folder).as_posix()


def _digests(layout: Layout) -> dict[str, str]:
    return {relative(path, layout): sha256(path) for path in weight_paths(layout)}


def _unfit(layout: Layout, problem: str) -> ModelFilesError:
    return ModelFilesError(
        f"{layout.folder / GRAPHS} {problem}: fetch the model again, use backend='torch', or write its graphs anew."
    )
