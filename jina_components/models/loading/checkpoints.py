"""What loading any model takes: files, layout, tokenizer, and the choice of a backend."""

from __future__ import annotations

import logging

from jina_components.errors import ConfigError
from jina_components.models.files import ModelFiles, find_files, find_spec
from jina_components.models.layout import Layout, read_json, read_layout
from jina_components.models.loading.options import LoadOptions
from jina_components.models.sequences import Backend
from jina_components.models.spec import ModelKind
from jina_components.models.tokenize import TextTokenizer, load_tokenizer

logger = logging.getLogger(__name__)

# Position tables of these families begin after the padding token, so two of their rows are never used.
_OFFSET_POSITIONS = frozenset({
    "camembert", "data2vec-text", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta",
    "xlm-roberta-xl", "xmod",
})  # fmt: skip
# What graphs that a folder ships run on and in.
_GRAPH_DEVICES, _GRAPH_PRECISIONS = ("auto", "cpu"), ("auto", "float32", "int8")
# A tokenizer without a limit of its own is saved with a huge one.
NO_LIMIT = 10**9


def find(name: str, options: LoadOptions, kind: ModelKind) -> tuple[ModelFiles, Layout]:
    """The files of a model of a kind.

    Raises:
        ConfigError: the catalog knows it as another kind.
        UnknownNameError, ModelFilesError: as `find_files`.
    """
    spec = find_spec(name)
    if spec is not None and spec.kind != kind:
        raise ConfigError(f"Model {name!r} is of kind {spec.kind!r}, where {kind!r} is needed.")
    files = find_files(name, revision=options.revision, offline=options.offline)
    return files, read_layout(files.folder)


def choose_backend(layout: Layout, options: LoadOptions) -> str:
    """`auto` is the first that can run a model."""
    graphs = layout.ships_graphs and options.device in _GRAPH_DEVICES and options.precision in _GRAPH_PRECISIONS
    transformer = ("onnx", "torch") if graphs else ("torch", "onnx")
    fitting = ("static",) if layout.is_static else transformer
    if options.backend not in ("auto", *fitting):
        raise ConfigError(
            f"backend={options.backend!r} cannot run {layout.folder}: use 'auto' or {' or '.join(fitting)}."
        )
    return fitting[0] if options.backend == "auto" else options.backend


def refuse_backend(layout: Layout, options: LoadOptions) -> None:
    """For what runs in torch alone: ConfigError when another backend is asked for."""
    if options.backend not in ("auto", "torch"):
        raise ConfigError(f"backend={options.backend!r} cannot run {layout.folder}: use 'auto' or 'torch'.")


def log_choice(name: str, backend_name: str, backend: Backend, options: LoadOptions) -> None:
    """Say what a model runs on, and what was asked for."""
    logger.info(
        "%s: backend=%s (asked: %s), device=%s (%s), precision=%s (%s)",
        name, backend_name, options.backend, backend.device, options.device, backend.precision, options.precision,
    )  # fmt: skip


def transformer_tokenizer(files: ModelFiles, layout: Layout) -> TextTokenizer:
    """The tokenizer beside a transformer, with its context."""
    folder, settings = layout.transformer.folder, layout.transformer.config
    config = read_json(folder / "tokenizer_config.json", default={})
    tokenizer = TextTokenizer(
        load_tokenizer(folder / "tokenizer.json"),
        context=context_of(layout, settings.get("max_seq_length") or config.get("model_max_length")),
        lowercase=bool(settings.get("do_lower_case")),
        segments="token_type_ids" in config.get("model_input_names", ["token_type_ids"]),
    )
    if files.spec is not None:
        tokenizer.limit(files.spec.context)
    return tokenizer


def context_of(layout: Layout, asked: int | None) -> int | None:
    """Longest input: what the model or its tokenizer asks for, within the model's position table."""
    positions = layout.config.get("max_position_embeddings")
    if positions and layout.config.get("model_type") in _OFFSET_POSITIONS:
        positions -= 2
    limits = [int(limit) for limit in (asked, positions) if limit and 0 < limit < NO_LIMIT]
    return min(limits, default=None)
