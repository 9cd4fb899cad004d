"""The models that can be fitted, in a form that sentence-transformers trains."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from safetensors.torch import save_file

from jina_components.errors import ConfigError
from jina_components.fine_tuner.settings import Kind
from jina_components.models.backends.silence import SILENCE
from jina_components.models.backends.static import StaticBackend
from jina_components.models.catalog import BY_NAME
from jina_components.models.files import find_files, find_spec
from jina_components.models.fingerprint import fingerprint
from jina_components.models.labels import read_labels, relevance_column
from jina_components.models.layout import Layout, read_layout, weight_files
from jina_components.models.multi_vector import is_multi_vector
from jina_components.models.stored import is_stored, read_stored
from jina_components.models.tokenize import load_tokenizer, unknown_token_id

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer

    from jina_components.types import FloatArray

    Model: TypeAlias = SentenceTransformer | CrossEncoder

_KINDS = ("embedding", "cross-encoder")
_TOKENIZER = re.compile(r"tokenizer.*|vocab\..*|merges\.txt|special_tokens_map\.json|added_tokens\.json|.*\.model")
_STEPS = "sentence_transformers.models"
_LICENCE = re.compile(r"^license: *['\"]?([\w.+-]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Base:
    """A model to begin with.

    Attributes:
        name: As the caller gave it.
        kind: What it is.
        layout: Its folder, understood.
        licence: Of its weights, as the catalog or its card states it; empty where neither does.
        widths: That its vectors are known to be cut to, its own among them.
        revision: Commit of a hub snapshot, or empty.
        column: Of a reranker's scores, that tells relevance.
    """

    name: str
    kind: Kind
    layout: Layout
    licence: str
    widths: tuple[int, ...] = ()
    revision: str = ""
    column: int = 0

    @property
    def fingerprint(self) -> str:
        """Digest of its files."""
        return fingerprint(self.layout.folder)

    def prompt(self, side: str) -> str:
        """What is put before a "query" or a "passage", as sentence-transformers chooses it."""
        names = {"query": ("query",), "passage": ("document", "passage", "corpus")}[side]
        own = next((self.layout.prompts[name] for name in names if name in self.layout.prompts), None)
        return self.layout.default_prompt if own is None else own


def find_base(name: str) -> Base:
    """The base of a name.

    Args:
        name: Of the catalog, a folder or a hub id: an embedder of one vector a text, or a cross-encoder.

    Raises:
        UnknownNameError, ModelFilesError: there is no such model, or its files are not whole.
        ConfigError: it is of a kind that is not fitted.
    """
    spec = find_spec(name)
    if spec is not None and spec.kind not in _KINDS:
        parts = [part for part in spec.parts if BY_NAME[part].kind in _KINDS]
        hint = f": fit a part of it, {' or '.join(parts)}" if parts else ": only embedders and cross-encoders are"
        raise ConfigError(f"{name!r} is of kind {spec.kind!r}, which is not fitted{hint}.")
    files = find_files(name)
    layout = read_layout(files.folder)
    if is_multi_vector(layout):
        raise ConfigError(
            f"{name!r} gives a vector a token, which is not fitted: only embedders and cross-encoders are."
        )
    kind: Kind = "static" if layout.is_static else "reranker" if layout.is_cross_encoder else "embedder"
    if kind != "static":
        weight_files(layout.transformer.folder)
    return Base(
        name=name,
        kind=kind,
        layout=layout,
        licence=files.spec.license if files.spec is not None else _stated_licence(files.folder),
        widths=files.spec.matryoshka if files.spec is not None else (),
        revision=files.revision,
        column=relevance_column(read_labels(layout.config), name) if kind == "reranker" else 0,
    )


def load_model(base: Base, work: Path, device: str) -> Model:
    """The model in float32, as sentence-transformers has it.

    Args:
        base: Which.
        work: Folder where the weights of one that is stored in few bits are written whole.
        device: As torch names it.

    Raises:
        ConfigError: sentence-transformers has no such architecture.
    """
    from sentence_transformers import CrossEncoder, SentenceTransformer

    folder = _whole(base, work / "base")
    options: dict[str, Any] = {"device": device, "local_files_only": True, "trust_remote_code": False}
    if base.kind != "static":  # attention written out trains faster on a CPU: short texts have a slow fused backward
        attention = "eager" if device == "cpu" else "sdpa"
        options["model_kwargs"] = {
            "dtype": torch.float32, "use_safetensors": True, "attn_implementation": attention,
        }  # fmt: skip
    try:
        with SILENCE:
            model = (CrossEncoder if base.kind == "reranker" else SentenceTransformer)(str(folder), **options)
    except (ValueError, OSError, KeyError, ImportError) as error:
        raise ConfigError(f"{base.name!r} cannot be fitted: sentence-transformers does not load it: {error}") from error
    if base.kind == "embedder" and getattr(model[0].model, "pooler", None) is not None:
        model[0].model.pooler = None  # what the vectors are made without, and checkpoints of embedders seldom hold
    return model


def save_model(model: Model, base: Base, to: Path) -> None:
    """Write the folder of a fitted model: float32, with the tokenizer's files of the base as they were."""
    if base.kind != "reranker":
        model.prompts = dict(
            base.layout.prompts
        )  # without the empty ones that the library adds: one could hide another
    with SILENCE:
        model.save_pretrained(str(to), create_model_card=False)
    for weights in to.rglob("*.safetensors"):
        weights.chmod(0o644)  # safetensors leaves it to its owner alone
    source = base.layout.transformer.folder
    for file in source.iterdir():
        if file.is_file() and _TOKENIZER.fullmatch(file.name):
            shutil.copyfile(file, to / file.name)


def _whole(base: Base, to: Path) -> Path:
    """A folder of the same model with float32 weights: its own, or one that is written here."""
    folder = base.layout.folder
    every = sorted(folder.rglob("model.safetensors"))
    if base.kind == "static":
        home = next((module.folder for module in base.layout.modules if module.type == "StaticEmbedding"), folder)
        weights = {home / "model.safetensors": {"embedding.weight": _table(base.layout, home)}}
    elif any(map(is_stored, every)):
        weights = {file: read_stored(file) for file in every}
    else:
        return folder
    return _rewritten(base.layout, to, {file.relative_to(folder): tensors for file, tensors in weights.items()})


def _table(layout: Layout, home: Path) -> FloatArray:
    """Token vectors; what Model2Vec leaves out of a mean is zero, which changes no direction."""
    table = StaticBackend.load(home)
    rows = table.token_vectors(np.arange(table.vocabulary, dtype=np.int32))
    unknown = unknown_token_id(load_tokenizer(home / "tokenizer.json")) if layout.is_model2vec else None
    if unknown is not None:
        rows[unknown] = 0
    return rows


def _rewritten(layout: Layout, to: Path, weights: Mapping[Path, Mapping[str, FloatArray]]) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.safetensors", "*.onnx", "graphs.json", "*.bin", "*.md", ".*")
    shutil.copytree(layout.folder, to, ignore=ignored)
    for file, tensors in weights.items():
        save_file({k: torch.from_numpy(np.array(v)) for k, v in tensors.items()}, to / file, {"format": "pt"})
    if layout.is_model2vec and not layout.modules:
        steps = ["StaticEmbedding", *(["Normalize"] if layout.config.get("normalize") else [])]
        rows = [
            {"idx": at, "name": str(at), "path": f"{at}_{step}" if at else "", "type": f"{_STEPS}.{step}"}
            for at, step in enumerate(steps)
        ]
        (to / "modules.json").write_text(json.dumps(rows), encoding="utf-8")
    return to


def _stated_licence(folder: Path) -> str:
    card = folder / "README.md"
    found = _LICENCE.search(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    return found[1] if found else ""
