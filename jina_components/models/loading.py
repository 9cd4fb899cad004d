"""From a name to a model that runs: files, layout, tokenizer, backend, owner thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.files import ModelFiles, find_files
from jina_components.models.layout import Layout, read_json, read_layout
from jina_components.models.maxsim import MaxSimScorer
from jina_components.models.runner import Backend, ModelRunner
from jina_components.models.spec import ModelKind
from jina_components.models.tokenize import TextTokenizer, load_tokenizer

logger = logging.getLogger(__name__)

# Position tables of these families begin after the padding token, so two of their rows are never used.
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})


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
    default_prompt = layout.prompts.get(layout.default_prompt_name or "", "")
    tokenizer = TextTokenizer(
        load_tokenizer(layout.transformer.folder if not layout.is_static else _static_folder(layout)),
        context=_context(files, layout),
        special_tokens=not layout.is_static,
        lowercase=bool(layout.transformer.config.get("do_lower_case")),
    )
    backend = _EMBEDDING_BACKENDS[backend_name](layout, options.device)
    logger.info("loaded %s: backend=%s, context=%s", name, backend_name, tokenizer.context)
    return LoadedModel(
        tokenizer, ModelRunner(backend, token_budget=options.token_budget), layout.prompts, default_prompt
    )


def load_cross_encoder(name: str, options: LoadOptions) -> LoadedModel:
    """Load a sequence-classification folder with one label.

    Raises:
        UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError: it cannot be loaded; says why.
    """
    files, layout = _find(name, options, "cross-encoder")
    if not layout.is_cross_encoder:
        raise ModelFilesError(
            f"{name!r} is no cross-encoder: its config.json names {layout.config.get('architectures')}, "
            "not a …ForSequenceClassification."
        )
    if options.backend == "static":
        raise ConfigError(
            f"backend='static' runs token tables only; {name!r} is a transformer: use 'auto' or 'torch'."
        )
    from jina_components.models.backends.torch import TorchCrossEncoderBackend

    tokenizer = TextTokenizer(load_tokenizer(layout.folder), context=_context(files, layout))
    backend = TorchCrossEncoderBackend(layout, device=options.device)
    return LoadedModel(tokenizer, ModelRunner(backend, token_budget=options.token_budget), layout.prompts)


def load_maxsim(name: str, options: LoadOptions) -> tuple[TextTokenizer, MaxSimScorer]:
    """Load a token table for late interaction.

    Raises:
        ModelFilesError: the files are missing or broken.
    """
    from jina_components.models.backends.static import StaticBackend

    files, layout = _find(name, options, "late-interaction")
    folder = _static_folder(layout)
    tokenizer = TextTokenizer(load_tokenizer(folder), context=_context(files, layout), special_tokens=False)
    return tokenizer, MaxSimScorer(StaticBackend.load(folder))


def _find(name: str, options: LoadOptions, kind: ModelKind) -> tuple[ModelFiles, Layout]:
    files = find_files(name, revision=options.revision, offline=options.offline)
    if files.spec is not None and files.spec.kind != kind:
        raise ConfigError(f"Model {name!r} is of kind {files.spec.kind!r}, where {kind!r} is needed.")
    return files, read_layout(files.folder)


def _choose_backend(layout: Layout, asked: str) -> str:
    fitting = "static" if layout.is_static else "torch"
    if asked not in ("auto", fitting):
        raise ConfigError(f"backend={asked!r} cannot run {layout.folder}: use 'auto' or {fitting!r}.")
    return fitting


def _static_folder(layout: Layout) -> Path:
    return next(
        (module.folder for module in layout.modules if module.type == "StaticEmbedding"), layout.folder
    )


def _context(files: ModelFiles, layout: Layout) -> int | None:
    """Longest input: the model's own setting, within what its position table and tokenizer allow."""
    if layout.is_static:
        return files.spec.context if files.spec is not None else None
    asked = layout.transformer.config.get("max_seq_length")
    if asked:
        return int(asked)
    limits = [
        read_json(layout.transformer.folder / "tokenizer_config.json", default={}).get("model_max_length")
    ]
    positions = layout.config.get("max_position_embeddings")
    if positions:
        limits.append(positions - 2 if layout.config.get("model_type") in _OFFSET_POSITIONS else positions)
    known = [int(limit) for limit in limits if limit]
    return min(known) if known else None


def _static(layout: Layout, device: str) -> Backend:
    if device not in ("auto", "cpu"):
        raise ConfigError(f"A token table runs on the CPU, not on {device!r}.")
    from jina_components.models.backends.static import StaticBackend

    return StaticBackend.load(_static_folder(layout))


def _torch(layout: Layout, device: str) -> Backend:
    from jina_components.models.backends.torch import TorchEmbeddingBackend

    return TorchEmbeddingBackend(layout, device=device)


_EMBEDDING_BACKENDS: dict[str, Callable[[Layout, str], Backend]] = {"static": _static, "torch": _torch}
