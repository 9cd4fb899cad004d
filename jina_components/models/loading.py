"""From a name to a model that runs: files, layout, tokenizer, backend, owner thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, JinaComponentsError, ModelFilesError
from jina_components.models.blend import Blend
from jina_components.models.calibration import TEXTS
from jina_components.models.catalog import BY_NAME
from jina_components.models.embedding import EmbeddingModel, Identity, LocalModel, RemoteModel
from jina_components.models.endpoint import Endpoint
from jina_components.models.entailing import EntailmentModel
from jina_components.models.files import ModelFiles, find_files
from jina_components.models.fingerprint import fingerprint
from jina_components.models.labels import RELEVANCE, entailment_columns, read_labels, relevance_column
from jina_components.models.layout import Layout, Module, read_json, read_layout
from jina_components.models.maxsim import MaxSimScorer
from jina_components.models.runner import ModelRunner
from jina_components.models.scoring import (
    BiEncoder,
    CrossEncoder,
    LateInteraction,
    Limits,
    RemoteScorer,
    Scorer,
)
from jina_components.models.sequences import Backend
from jina_components.models.spec import ModelKind
from jina_components.models.tokenize import TextTokenizer, load_tokenizer, unknown_token_id

if TYPE_CHECKING:
    from jina_components.models.backends.static import StaticBackend

logger = logging.getLogger(__name__)
T = TypeVar("T")
_Part: TypeAlias = CrossEncoder | LateInteraction | BiEncoder

# Position tables of these families begin after the padding token, so two of their rows are never used.
_OFFSET_POSITIONS = frozenset({
    "camembert", "data2vec-text", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta",
    "xlm-roberta-xl", "xmod",
})  # fmt: skip
PRECISIONS = {name: name for name in ("auto", "float32", "bfloat16", "float16", "int8")}
# What graphs that a folder ships run on and in.
_GRAPH_DEVICES, _GRAPH_PRECISIONS = ("auto", "cpu"), ("auto", "float32", "int8")
# To be raised when a change of ours changes vectors, so that a cache does not mix them.
_NUMERICS = 1
# A tokenizer without a limit of its own is saved with a huge one.
_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How to load a model; the same for every component that has one.

    Attributes:
        backend: `auto`, `static`, `torch`, `onnx` or `http`. `auto` takes `http` when there is an endpoint, `static`
            for a token table, `onnx` for a folder that ships graphs, where they run on the device and in the precision
            asked for (`auto` or `cpu`; `auto`, `float32` or `int8`), else `torch`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes the CPU for a token table and in onnx; in torch
            CUDA, then MPS, then the CPU.
        endpoint: The server that runs the model.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub; what is not in its cache is an error.
        precision: `auto`, `float32`, `bfloat16`, `float16` or `int8`. `auto` takes int8 for a graph that a folder
            ships; in torch float16 on a GPU, bfloat16 on a CPU with instructions for it (AVX512-BF16, AMX), else
            float32.
        token_budget: Tokens (padding included) a forward pass may hold; None for the backend's own.
    """

    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    endpoint: Endpoint | None = None
    revision: str | None = None
    offline: bool = False
    token_budget: int | None = None

    def __post_init__(self) -> None:
        if self.backend not in ("auto", "http"):
            resolve_name(_EMBEDDING_BACKENDS, self.backend, what="backend")
        if (self.backend == "http") != (self.endpoint is not None) and self.backend != "auto":
            raise ConfigError("backend='http' and endpoint=Endpoint(…) belong together.")
        if self.endpoint is not None:
            self.refuse("an endpoint", "device", "precision", "revision", "offline", "token_budget")
        resolve_name(PRECISIONS, self.precision, what="precision")
        if self.token_budget is not None and self.token_budget < 1:
            raise ConfigError(f"token_budget must be positive, got {self.token_budget}.")

    def refuse(self, what: str, *names: str) -> None:
        """Refuse settings that would change nothing.

        Raises:
            ConfigError: one of `names` is not its default; `what` says for what kind of model.
        """
        defaults = {field.name: field.default for field in fields(self)}
        if given := [name for name in names if getattr(self, name) != defaults[name]]:
            raise ConfigError(f"{' and '.join(given)} cannot be set for {what}: leave it out.")


def load_embedding_model(name: str, options: LoadOptions, *, identify: bool = False) -> EmbeddingModel:
    """Load a sentence-transformers folder or a token table, or speak to an endpoint.

    Args:
        name: Catalog name, folder or hub id; with an endpoint, the server's name for it.
        options: How to load it.
        identify: Whether a cache will ask what pins the weights, which takes reading them.

    Raises:
        UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError: it cannot be loaded; says why.
    """
    if options.endpoint is not None:
        from jina_components.models.backends.http import HTTPEmbeddingModel

        return RemoteModel(HTTPEmbeddingModel(name, options.endpoint))
    return _load_local(name, options, identify=identify)


def _load_local(name: str, options: LoadOptions, *, identify: bool = False) -> LocalModel:
    files, layout = _find(name, options, "embedding")
    layout = _with_pooling(layout)
    revision = files.revision or (fingerprint(files.folder) if identify else "")
    backend_name = _choose_backend(layout, options)
    tokenizer, backend = _EMBEDDING_BACKENDS[backend_name](files, layout, options)
    _log_choice(name, backend_name, backend, options)
    return LocalModel(
        tokenizer=tokenizer,
        runner=ModelRunner(backend, token_budget=options.token_budget),
        prompts={**layout.prompts, **(files.spec.prompts if files.spec is not None else {})},
        default_prompt=layout.default_prompt,
        identity=Identity(name, revision, f"{backend_name} {backend.precision} {_NUMERICS}"),
    )


def load_scorer(name: str, options: LoadOptions, limits: Limits) -> Scorer:
    """Load a reranking model: a sequence-classification folder, one of another kind by its name, or an endpoint's.

    Args:
        name: Of the catalog, or the folder or hub id of a sequence-classification checkpoint that scores relevance;
            with an endpoint, the server's name for it.
        options: How to load it.
        limits: Tokens kept of queries and documents.

    Raises:
        UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError: it cannot be loaded; says why.
    """
    if options.endpoint is not None:
        from jina_components.models.backends.http import HTTPReranker

        if limits != Limits():
            raise ConfigError(
                "An endpoint counts tokens by itself: leave max_query_length and max_document_length out."
            )
        return RemoteScorer(HTTPReranker(name, options.endpoint))
    spec = BY_NAME.get(name)
    load = _SCORERS.get(spec.kind, _load_cross_encoder) if spec is not None else _load_cross_encoder
    return load(name, options, limits)


def _load_cross_encoder(name: str, options: LoadOptions, limits: Limits) -> CrossEncoder:
    tokenizer, runner, column = _load_pair_model(name, options, relevance_column)
    return CrossEncoder(tokenizer, runner, limits, column)


def _load_late_interaction(name: str, options: LoadOptions, limits: Limits) -> LateInteraction:
    options.refuse("late interaction", "token_budget")
    files, layout = _find(name, options, "late-interaction")
    _choose_backend(layout, options)
    tokenizer, table = _load_static(files, layout, options)
    return LateInteraction(tokenizer, MaxSimScorer(table), limits)


def _load_bi_encoder(name: str, options: LoadOptions, limits: Limits) -> BiEncoder:
    model = _load_local(name, options)
    if model.prompt("retrieval.query") or model.prompt("retrieval.passage"):
        raise ConfigError(f"{name!r} puts prompts before texts, which its cosines here would lack: use one without.")
    return BiEncoder(model.tokenizer, model.runner, limits)


def _load_blend(name: str, options: LoadOptions, limits: Limits) -> Blend:
    options.refuse("a blend", "revision")
    spec = BY_NAME[name]
    # What scores here and now comes last, while the others are at work in their threads.
    names = sorted(spec.parts, key=lambda part: BY_NAME[part].kind == "late-interaction")
    parts = [_load_part(name, part, options, limits) for part in names]
    return Blend(tuple(parts), tuple(spec.parts[part] for part in names), spec.offset)


def _load_part(name: str, part: str, options: LoadOptions, limits: Limits) -> _Part:
    """A part of a blend, with the options that it has a use for (a token table runs in one way) and its context."""
    kind = BY_NAME[part].kind
    try:
        own = LoadOptions(offline=options.offline) if kind == "late-interaction" else options
        scorer = _PARTS[kind](part, own, limits)
    except JinaComponentsError as error:
        raise type(error)(f"{name!r}, of which {part!r} is a part: {error.message}") from error
    # So that all parts cut documents alike; a cross-encoder's chunks are shorter by the query beside them.
    scorer.tokenizer.limit(BY_NAME[name].context)
    return scorer


def load_entailment_model(name: str, options: LoadOptions) -> EntailmentModel:
    """Load a sequence-classification folder that scores entailment.

    Raises:
        UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError: it cannot be loaded; says why.
    """
    tokenizer, runner, columns = _load_pair_model(name, options, entailment_columns)
    return EntailmentModel(tokenizer, runner, columns)


def _load_pair_model(
    name: str, options: LoadOptions, choose: Callable[[Sequence[str], str], T]
) -> tuple[TextTokenizer, ModelRunner, T]:
    """A sequence-classification folder, and what `choose` reads of its labels."""
    spec = BY_NAME.get(name)
    if spec is not None and spec.kind == "cross-encoder":
        choose(spec.labels or (RELEVANCE,), name)  # before a file is fetched
    _, layout = _find(name, options, "cross-encoder")
    if not layout.is_cross_encoder:
        raise ModelFilesError(
            f"{name!r} is no cross-encoder: it has the architecture {layout.config.get('architectures')} and "
            f"the steps {[module.type for module in layout.modules]}, not one …ForSequenceClassification."
        )
    chosen = choose(read_labels(layout.config), name)
    tokenizer = _transformer_tokenizer(layout)
    backend_name = _choose_backend(layout, options)
    backend = _CROSS_ENCODERS[backend_name](tokenizer, layout, options)
    _log_choice(name, backend_name, backend, options)
    return tokenizer, ModelRunner(backend, token_budget=options.token_budget), chosen


def _log_choice(name: str, backend_name: str, backend: Backend, options: LoadOptions) -> None:
    logger.info(
        "%s: backend=%s (asked: %s), device=%s (%s), precision=%s (%s)",
        name, backend_name, options.backend, backend.device, options.device, backend.precision, options.precision,
    )  # fmt: skip


def _torch_cross_encoder(tokenizer: TextTokenizer, layout: Layout, options: LoadOptions) -> Backend:
    from jina_components.models.backends.torch import TorchCrossEncoderBackend

    query, *documents = TEXTS
    pairs = tokenizer.pairs(query, documents, truncate=True) if options.precision == "int8" else []
    return TorchCrossEncoderBackend(
        layout,
        device=options.device,
        precision=options.precision,
        calibration=[chunk for chunks in pairs for chunk in chunks],
    )


def _onnx_cross_encoder(tokenizer: TextTokenizer, layout: Layout, options: LoadOptions) -> Backend:  # noqa: ARG001 (as above)
    from jina_components.models.backends.onnx import load_onnx_cross_encoder

    return load_onnx_cross_encoder(layout, device=options.device, precision=options.precision)


def _with_pooling(layout: Layout) -> Layout:
    """A plain checkpoint with the pooling that sentence-transformers gives one: mean, or the last token's."""
    if layout.modules or layout.is_static:
        return layout
    architecture = str((layout.config.get("architectures") or [""])[0])
    mode = "lasttoken" if architecture.endswith("ForCausalLM") else "mean"
    logger.warning("%s names no pooling: taking %r, as sentence-transformers does", layout.folder, mode)
    steps = (layout.transformer, Module("Pooling", layout.folder, {"pooling_mode": mode}))
    return replace(layout, modules=steps)


def _find(name: str, options: LoadOptions, kind: ModelKind) -> tuple[ModelFiles, Layout]:
    spec = BY_NAME.get(name)
    if spec is not None and spec.kind != kind:
        raise ConfigError(f"Model {name!r} is of kind {spec.kind!r}, where {kind!r} is needed.")
    files = find_files(name, revision=options.revision, offline=options.offline)
    return files, read_layout(files.folder)


def _choose_backend(layout: Layout, options: LoadOptions) -> str:
    """`auto` is the first that can run a model."""
    graphs = layout.ships_graphs and options.device in _GRAPH_DEVICES and options.precision in _GRAPH_PRECISIONS
    transformer = ("onnx", "torch") if graphs else ("torch", "onnx")
    fitting = ("static",) if layout.is_static else transformer
    if options.backend not in ("auto", *fitting):
        raise ConfigError(
            f"backend={options.backend!r} cannot run {layout.folder}: use 'auto' or {' or '.join(fitting)}."
        )
    return fitting[0] if options.backend == "auto" else options.backend


def _load_static(files: ModelFiles, layout: Layout, options: LoadOptions) -> tuple[TextTokenizer, StaticBackend]:
    from jina_components.models.backends.static import StaticBackend

    if options.device not in ("auto", "cpu"):
        raise ConfigError(f"A token table runs on the CPU, not on {options.device!r}.")
    if options.precision not in ("auto", "float32"):
        raise ConfigError(f"A token table runs in float32, not in {options.precision!r}.")
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


def _load_torch(files: ModelFiles, layout: Layout, options: LoadOptions) -> tuple[TextTokenizer, Backend]:  # noqa: ARG001 (as _load_static)
    from jina_components.models.backends.torch import TorchEmbeddingBackend

    tokenizer = _transformer_tokenizer(layout)
    backend = TorchEmbeddingBackend(
        layout,
        device=options.device,
        precision=options.precision,
        calibration=tokenizer.texts(TEXTS, truncate=True) if options.precision == "int8" else (),
    )
    return tokenizer, backend


def _load_onnx(files: ModelFiles, layout: Layout, options: LoadOptions) -> tuple[TextTokenizer, Backend]:  # noqa: ARG001 (as _load_static)
    from jina_components.models.backends.onnx import load_onnx_embedding

    backend = load_onnx_embedding(layout, device=options.device, precision=options.precision)
    return _transformer_tokenizer(layout), backend


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


# How a model runs: one class a file, imported only when it is chosen.
_EMBEDDING_BACKENDS: dict[str, Callable[[ModelFiles, Layout, LoadOptions], tuple[TextTokenizer, Backend]]] = {
    "static": _load_static,
    "torch": _load_torch,
    "onnx": _load_onnx,
}
_SCORERS: dict[ModelKind, Callable[[str, LoadOptions, Limits], Scorer]] = {
    "late-interaction": _load_late_interaction,
    "blend": _load_blend,
}
_PARTS: dict[ModelKind, Callable[[str, LoadOptions, Limits], _Part]] = {
    "cross-encoder": _load_cross_encoder,
    "late-interaction": _load_late_interaction,
    "embedding": _load_bi_encoder,
}
_CROSS_ENCODERS: dict[str, Callable[[TextTokenizer, Layout, LoadOptions], Backend]] = {
    "torch": _torch_cross_encoder,
    "onnx": _onnx_cross_encoder,
}
