"""From a name to a model that runs: files, layout, tokenizer, backend, owner thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.catalog import BY_NAME
from jina_components.models.files import ModelFiles, find_files
from jina_components.models.layout import Layout, read_json, read_layout
from jina_components.models.maxsim import MaxSimScorer
from jina_components.models.runner import Backend, ModelRunner
from jina_components.models.spec import ModelKind
from jina_components.models.tokenize import TextTokenizer, load_tokenizer, unknown_token_id

if TYPE_CHECKING:
    from jina_components.models.backends.static import StaticBackend

logger = logging.getLogger(__name__)

# Position tables of these families begin after the padding token, so two of their rows are never used.
_OFFSET_POSITIONS = frozenset({
    "camembert", "data2vec-text", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta",
    "xlm-roberta-xl", "xmod",
})  # fmt: skip
# A tokenizer without a limit of its own is saved with a huge one.
_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How to load a model; the same for every component that has one.

    Attributes:
        backend: `auto`, `static` or `torch`. `auto` takes `static` for a token table, else `torch`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes CUDA, then MPS, then the CPU.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub; what is not in its cache is an error.
        token_budget: Tokens (padding included) a forward pass may hold; None for the backend's own.
    """

    backend: str = "auto"
    device: str = "auto"
    revision: str | None = None
    offline: bool = False
    token_budget: int | None = None

    def __post_init__(self) -> None:
        if self.backend != "auto":
            resolve_name(_EMBEDDING_BACKENDS, self.backend, what="backend")
        if self.token_budget is not None and self.token_budget < 1:
            raise ConfigError(f"token_budget must be positive, got {self.token_budget}.")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run: its tokenizer, its owner thread, and the prompts it was trained with."""

    tokenizer: TextTokenizer
    runner: ModelRunner
    prompts: Mapping[str, str]
    default_prompt: str = ""


def load_embedding_model(name: str, options: LoadOptions) -> LoadedModel:
    """Load a sentence-transformers folder or a token table.

    Raises:
        UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError: it cannot be loaded; says why.
    """
    files, layout = _find(name, options, "embedding")
    backend_name = _choose_backend(layout, options.backend)
    tokenizer, backend = _EMBEDDING_BACKENDS[backend_name](files, layout, options.device)
    logger.info("loaded %s: backend=%s, context=%s", name, backend_name, tokenizer.context)
    runner = ModelRunner(backend, token_budget=options.token_budget)
    return LoadedModel(tokenizer, runner, layout.prompts, layout.default_prompt)


def load_cross_encoder(name: str, options: LoadOptions) -> LoadedModel:
    """Load a sequence-classification folder with one label.

    Raises:
        UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError: it cannot be loaded; says why.
    """
    _, layout = _find(name, options, "cross-encoder")
    if not layout.is_cross_encoder:
        raise ModelFilesError(
            f"{name!r} is no cross-encoder: it has the architecture {layout.config.get('architectures')} and "
            f"the steps {[module.type for module in layout.modules]}, not one …ForSequenceClassification."
        )
    _choose_backend(layout, options.backend)
    from jina_components.models.backends.torch import TorchCrossEncoderBackend

    tokenizer = _transformer_tokenizer(layout)
    backend = TorchCrossEncoderBackend(layout, device=options.device)
    return LoadedModel(tokenizer, ModelRunner(backend, token_budget=options.token_budget), layout.prompts)


def load_maxsim(name: str, options: LoadOptions) -> tuple[TextTokenizer, MaxSimScorer]:
    """Load a token table for late interaction.

    Raises:
        ModelFilesError, ConfigError: it cannot be loaded; says why.
    """
    files, layout = _find(name, options, "late-interaction")
    _choose_backend(layout, options.backend)
    tokenizer, table = _load_static(files, layout, options.device)
    return tokenizer, MaxSimScorer(table)


def _find(name: str, options: LoadOptions, kind: ModelKind) -> tuple[ModelFiles, Layout]:
    spec = BY_NAME.get(name)
    if spec is not None and spec.kind != kind:
        raise ConfigError(f"Model {name!r} is of kind {spec.kind!r}, where {kind!r} is needed.")
    files = find_files(name, revision=options.revision, offline=options.offline)
    return files, read_layout(files.folder)


def _choose_backend(layout: Layout, asked: str) -> str:
    fitting = "static" if layout.is_static else "torch"
    if asked not in ("auto", fitting):
        raise ConfigError(f"backend={asked!r} cannot run {layout.folder}: use 'auto' or {fitting!r}.")
    return fitting


def _load_static(files: ModelFiles, layout: Layout, device: str) -> tuple[TextTokenizer, StaticBackend]:
    from jina_components.models.backends.static import StaticBackend

    if device not in ("auto", "cpu"):
        raise ConfigError(f"A token table runs on the CPU, not on {device!r}.")
    other = [module.type for module in layout.modules if module.type not in ("StaticEmbedding", "Normalize")]
    if other:
        raise ModelFilesError(f"{layout.folder}: steps {other} beside a token table are not supported.")
    folder = next((m.folder for m in layout.modules if m.type == "StaticEmbedding"), layout.folder)
    parsed = load_tokenizer(folder / "tokenizer.json")
    tokenizer = TextTokenizer(
        parsed,
        context=files.spec.context if files.spec is not None else None,
        special_tokens=False,
        skip=unknown_token_id(parsed) if layout.is_model2vec else None,
    )
    table = StaticBackend.load(folder)
    if tokenizer.vocabulary > table.vocabulary:
        raise ModelFilesError(
            f"{folder}: the tokenizer has {tokenizer.vocabulary} tokens, the table only {table.vocabulary}."
        )
    return tokenizer, table


def _load_torch(files: ModelFiles, layout: Layout, device: str) -> tuple[TextTokenizer, Backend]:  # noqa: ARG001 (as _load_static)
    from jina_components.models.backends.torch import TorchEmbeddingBackend

    return _transformer_tokenizer(layout), TorchEmbeddingBackend(layout, device=device)


def _transformer_tokenizer(layout: Layout) -> TextTokenizer:
    folder, settings = layout.transformer.folder, layout.transformer.config
    config = read_json(folder / "tokenizer_config.json", default={})
    return TextTokenizer(
        load_tokenizer(folder / "tokenizer.json"),
        context=_context(layout, settings.get("max_seq_length") or config.get("model_max_length")),
        lowercase=bool(settings.get("do_lower_case")),
        segments="token_type_ids" in config.get("model_input_names", ["token_type_ids"]),
    )


def _context(layout: Layout, asked: int | None) -> int | None:
    """Longest input: what the model or its tokenizer asks for, within the model's position table."""
    positions = layout.config.get("max_position_embeddings")
    if positions and layout.config.get("model_type") in _OFFSET_POSITIONS:
        positions -= 2
    limits = [int(limit) for limit in (asked, positions) if limit and 0 < limit < _NO_LIMIT]
    return min(limits, default=None)


_EMBEDDING_BACKENDS: dict[str, Callable[[ModelFiles, Layout, str], tuple[TextTokenizer, Backend]]] = {
    "static": _load_static,
    "torch": _load_torch,
}
