"""From a name to a model that runs: files, layout, tokenizer, backend, owner thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, JinaComponentsError, ModelFilesError
from jina_components.models.blend import Blend
from jina_components.models.calibration import TEXTS
from jina_components.models.catalog import BY_NAME
from jina_components.models.embedding import EmbeddingModel, Identity, LocalModel, RemoteModel, Tasks
from jina_components.models.endpoint import Endpoint
from jina_components.models.entailing import EntailmentModel
from jina_components.models.files import ModelFiles, find_files, find_spec
from jina_components.models.fingerprint import fingerprint
from jina_components.models.labels import RELEVANCE, entailment_columns, read_labels, relevance_column
from jina_components.models.layout import Layout, Module, read_json, read_layout
from jina_components.models.list_prompt import ListPrompt
from jina_components.models.listwise import Listwise
from jina_components.models.loading_vision import (
    is_vision_embedding,
    is_vision_ranker,
    load_vision_embedding,
    load_vision_ranker,
)
from jina_components.models.maxsim import MaxSimScorer
from jina_components.models.multi_vector import MultiVectorModel, TokenSide, is_multi_vector, read_tokenizer
from jina_components.models.picturing import ImageSide, VisionModel
from jina_components.models.runner import ModelRunner
from jina_components.models.scoring import (
    BiEncoder,
    CrossEncoder,
    LateInteraction,
    Limits,
    MultiVectorScorer,
    RemoteScorer,
    Scorer,
)
from jina_components.models.sequences import Backend
from jina_components.models.spec import ModelKind
from jina_components.models.tokenize import TextTokenizer, load_tokenizer, unknown_token_id
from jina_components.models.vision_scoring import VisionCrossEncoder

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


def load_embedding_model(
    name: str, options: LoadOptions, *, identify: bool = False
) -> EmbeddingModel | MultiVectorModel:
    """Load a sentence-transformers folder, a ColBERT checkpoint or a token table, or speak to an endpoint.

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
    spec = find_spec(name)
    tokens = spec is not None and spec.kind == "late-interaction" and bool(spec.token_dimensions)
    files, layout = _find(name, options, "late-interaction" if tokens else "embedding")
    if is_multi_vector(layout):
        return _load_multi_vector(files, layout, options)
    if is_vision_embedding(layout):
        return _load_vision(files, layout, options, identify=identify)
    return _load_local(files, layout, options, identify=identify)


def _load_multi_vector(files: ModelFiles, layout: Layout, options: LoadOptions) -> MultiVectorModel:
    from jina_components.models.backends.torch_tokens import TorchTokenBackend

    if options.backend not in ("auto", "torch"):
        raise ConfigError(f"backend={options.backend!r} cannot run {layout.folder}: use 'auto' or 'torch'.")
    tokenizer = read_tokenizer(layout, files.spec, context=_context(layout, None))
    backend = TorchTokenBackend(
        layout,
        device=options.device,
        precision=options.precision,
        calibration=tokenizer.documents(TEXTS, truncate=True) if options.precision == "int8" else (),
    )
    _log_choice(files.name, "torch", backend, options)
    widths = (backend.width,) if files.spec is None else files.spec.token_dimensions
    if backend.width != widths[0]:
        raise ModelFilesError(f"{layout.folder} gives vectors of {backend.width} dimensions, not {widths[0]}.")
    runner = ModelRunner(backend, token_budget=options.token_budget)
    return MultiVectorModel(files.name, tokenizer, runner, widths)


def _load_local(files: ModelFiles, layout: Layout, options: LoadOptions, *, identify: bool = False) -> LocalModel:
    name, layout = files.name, _with_pooling(files, layout)
    revision = files.revision or (fingerprint(files.folder) if identify else "")
    backend_name = _choose_backend(layout, options)
    tokenizer, backend = _EMBEDDING_BACKENDS[backend_name](files, layout, options)
    _log_choice(name, backend_name, backend, options)
    return LocalModel(
        tokenizer=tokenizer,
        runner=ModelRunner(backend, token_budget=options.token_budget),
        tasks=_tasks(files, layout, getattr(backend, "adapters", ())),
        identity=Identity(name, revision, f"{backend_name} {backend.precision} {_NUMERICS}"),
        takes_spans=getattr(backend, "takes_spans", False),
        images=_image_side(files, layout, options),
    )


def _image_side(files: ModelFiles, layout: Layout, options: LoadOptions) -> ImageSide | None:
    """What embeds images beside the texts of a jina-clip checkpoint."""
    if layout.config.get("model_type") != "jina_clip":
        return None

    def load() -> VisionModel:
        from jina_components.models.backends.torch_vision import TorchVisionBackend
        from jina_components.models.images import read_processor

        folder, tile = layout.transformer.folder, (0, 0) if files.spec is None else files.spec.tile
        vision = TorchVisionBackend(
            folder, layout.config.get("vision_config") or {}, device=options.device, precision=options.precision
        )
        processor = read_processor(
            folder, image_size=vision.image_size, patch_size=vision.patch_size, tile=tile,
            tile_tokens=0 if files.spec is None else files.spec.tile_tokens,
        )  # fmt: skip
        return VisionModel(lambda picture, adapter: processor(picture), ModelRunner(vision))

    return ImageSide(load)


def _load_vision(files: ModelFiles, layout: Layout, options: LoadOptions, *, identify: bool = False) -> LocalModel:
    _refuse_backend(layout, options)
    revision = files.revision or (fingerprint(files.folder) if identify else "")
    parts = load_vision_embedding(layout, files.spec, device=options.device, precision=options.precision)
    _log_choice(files.name, "torch", parts.vectors, options)
    runner, tokens = (ModelRunner(part, token_budget=options.token_budget) for part in (parts.vectors, parts.tokens))
    tasks = _tasks(files, layout, parts.vectors.adapters)
    return LocalModel(
        tokenizer=parts.tokenizer,
        runner=runner,
        tasks=tasks,
        identity=Identity(files.name, revision, f"torch {parts.vectors.precision} {_NUMERICS}"),
        takes_spans=True,
        images=ImageSide(lambda: VisionModel(parts.prepare, runner)),
        tokens=TokenSide(files.name, parts.tokenizer, tokens, tasks, (parts.tokens.width,)),
    )


def _refuse_backend(layout: Layout, options: LoadOptions) -> None:
    if options.backend not in ("auto", "torch"):
        raise ConfigError(f"backend={options.backend!r} cannot run {layout.folder}: use 'auto' or 'torch'.")


def _tasks(files: ModelFiles, layout: Layout, adapters: Sequence[str]) -> Tasks:
    """What the folder says of tasks, and the catalog."""
    spec, numbers = files.spec, {name: number for number, name in enumerate(adapters)}
    prompts = {**layout.config.get("task_instructions", {}), **layout.prompts}
    if spec is None:
        return Tasks(prompts, numbers, layout.default_prompt)
    if lacking := set(spec.adapters.values()) - set(numbers):
        raise ModelFilesError(
            f"{files.folder} lacks the adapters {', '.join(sorted(lacking))} of {spec.name}; there is "
            f"{', '.join(numbers) or 'none'}."
        )
    chosen = {task: numbers[name] for task, name in spec.adapters.items()}
    return Tasks({**prompts, **spec.prompts}, {**numbers, **chosen}, layout.default_prompt, spec.default_task)


def load_scorer(name: str, options: LoadOptions, limits: Limits) -> Scorer:
    """Load a reranking model: a folder that classifies sequences, or ColBERT's, one by its name, or an endpoint's.

    Args:
        name: Of the catalog, or the folder or hub id of a ColBERT or sequence-classification checkpoint that scores
            relevance; with an endpoint, the server's name for it.
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
    spec = find_spec(name)
    kind = _kind_of(name, options) if spec is None else spec.kind
    if kind == "cross-encoder" and (spec is None or "image" in spec.modalities):
        files, layout = _find(name, options, kind)
        if is_vision_ranker(layout):
            return _load_vision_ranker(files, layout, options, limits)
    return _SCORERS.get(kind, _load_cross_encoder)(name, options, limits)


def _kind_of(name: str, options: LoadOptions) -> ModelKind:
    """What scores with a folder that is not of the catalog."""
    files = find_files(name, revision=options.revision, offline=options.offline)
    return "late-interaction" if is_multi_vector(read_layout(files.folder)) else "cross-encoder"


def _load_vision_ranker(files: ModelFiles, layout: Layout, options: LoadOptions, limits: Limits) -> VisionCrossEncoder:
    _refuse_backend(layout, options)
    parts = load_vision_ranker(layout, files.spec, device=options.device, precision=options.precision)
    _log_choice(files.name, "torch", parts.backend, options)
    runner = ModelRunner(parts.backend, token_budget=options.token_budget)
    return VisionCrossEncoder(parts.prompts, parts.processor, runner, limits)


def _load_cross_encoder(name: str, options: LoadOptions, limits: Limits) -> CrossEncoder:
    tokenizer, runner, column = _load_pair_model(name, options, relevance_column)
    return CrossEncoder(tokenizer, runner, limits, column)


def _load_late_interaction(name: str, options: LoadOptions, limits: Limits) -> MultiVectorScorer | LateInteraction:
    files, layout = _find(name, options, "late-interaction")
    if is_multi_vector(layout):
        return MultiVectorScorer(_load_multi_vector(files, layout, options), limits)
    return _load_table_interaction(name, options, limits)


def _load_table_interaction(name: str, options: LoadOptions, limits: Limits) -> LateInteraction:
    options.refuse("late interaction", "token_budget")
    files, layout = _find(name, options, "late-interaction")
    _choose_backend(layout, options)
    tokenizer, table = _load_static(files, layout, options)
    return LateInteraction(tokenizer, MaxSimScorer(table), limits)


def _load_listwise(name: str, options: LoadOptions, limits: Limits) -> Listwise:
    from jina_components.models.backends.torch_listwise import TorchListwiseBackend

    _, layout = _find(name, options, "listwise")
    if options.backend not in ("auto", "torch"):
        raise ConfigError(f"backend={options.backend!r} cannot run {layout.folder}: use 'auto' or 'torch'.")
    settings = read_json(layout.folder / "tokenizer_config.json", default={})
    prompt = ListPrompt(load_tokenizer(layout.folder / "tokenizer.json"), layout.folder)
    query, *documents = TEXTS
    [*passages] = chain.from_iterable(prompt.passages(documents, max_length=None, truncate=True))
    backend = TorchListwiseBackend(
        layout.folder,
        layout.config,
        device=options.device,
        precision=options.precision,
        calibration=[prompt.sequence(query, passages)] if options.precision == "int8" else (),
    )
    context = _context(layout, settings.get("model_max_length")) or _NO_LIMIT
    longest = prompt.longest(limits.query, limits.document)
    if longest > context:
        raise ConfigError(
            f"A query and a document may have {longest} tokens together, the model has {context}: lower "
            "max_query_length or max_document_length."
        )
    budget = min(options.token_budget or backend.token_budget, context)
    _log_choice(name, "torch", backend, options)
    return Listwise(prompt, ModelRunner(backend, token_budget=budget), limits, budget)


def _load_bi_encoder(name: str, options: LoadOptions, limits: Limits) -> BiEncoder:
    files, layout = _find(name, options, "embedding")
    model = _load_local(files, layout, options)
    sides = ("retrieval.query", "retrieval.passage")
    if any(map(model.tasks.prompt, sides)) or max(map(model.tasks.adapter, sides)) >= 0:
        raise ConfigError(f"{name!r} tells queries from documents, which its cosines here would not: use one without.")
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
    spec = find_spec(name)
    if spec is not None and spec.kind == "cross-encoder":
        choose(spec.labels or (RELEVANCE,), name)  # before a file is fetched
    files, layout = _find(name, options, "cross-encoder")
    if files.spec is None and not layout.is_cross_encoder:
        raise ModelFilesError(
            f"{name!r} is no cross-encoder: it has the architecture {layout.config.get('architectures')} and "
            f"the steps {[module.type for module in layout.modules]}, not one …ForSequenceClassification."
        )
    labels = read_labels(layout.config)
    if files.spec is not None and not layout.config.keys() & {"id2label", "num_labels"}:
        labels = files.spec.labels or (RELEVANCE,)
    chosen = choose(labels, name)
    tokenizer = _transformer_tokenizer(files, layout)
    backend_name = _choose_backend(layout, options)
    backend = _CROSS_ENCODERS[backend_name](tokenizer, layout, options)
    if backend.width != len(labels):
        raise ModelFilesError(f"{name!r} has a head of {backend.width} labels, but names {len(labels)}: {labels}.")
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


def _with_pooling(files: ModelFiles, layout: Layout) -> Layout:
    """A checkpoint that names no pooling with the catalog's, or that of sentence-transformers: mean, or last token."""
    pooling = files.spec.pooling if files.spec is not None else ""
    if layout.is_static or (layout.modules and not pooling) or any(m.type == "Pooling" for m in layout.modules):
        return layout
    if not pooling:
        architecture = str((layout.config.get("architectures") or [""])[0])
        pooling = "lasttoken" if architecture.endswith("ForCausalLM") else "mean"
        logger.warning("%s names no pooling: taking %r, as sentence-transformers does", layout.folder, pooling)
    return replace(layout, modules=(layout.transformer, Module("Pooling", layout.folder, {"pooling_mode": pooling})))


def _find(name: str, options: LoadOptions, kind: ModelKind) -> tuple[ModelFiles, Layout]:
    spec = find_spec(name)
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


def _load_torch(files: ModelFiles, layout: Layout, options: LoadOptions) -> tuple[TextTokenizer, Backend]:
    from jina_components.models.backends.torch import TorchEmbeddingBackend

    tokenizer = _transformer_tokenizer(files, layout)
    backend = TorchEmbeddingBackend(
        layout,
        device=options.device,
        precision=options.precision,
        calibration=tokenizer.texts(TEXTS, truncate=True) if options.precision == "int8" else (),
    )
    return tokenizer, backend


def _load_onnx(files: ModelFiles, layout: Layout, options: LoadOptions) -> tuple[TextTokenizer, Backend]:
    from jina_components.models.backends.onnx import load_onnx_embedding

    backend = load_onnx_embedding(layout, device=options.device, precision=options.precision)
    return _transformer_tokenizer(files, layout), backend


def _transformer_tokenizer(files: ModelFiles, layout: Layout) -> TextTokenizer:
    folder, settings = layout.transformer.folder, layout.transformer.config
    config = read_json(folder / "tokenizer_config.json", default={})
    tokenizer = TextTokenizer(
        load_tokenizer(folder / "tokenizer.json"),
        context=_context(layout, settings.get("max_seq_length") or config.get("model_max_length")),
        lowercase=bool(settings.get("do_lower_case")),
        segments="token_type_ids" in config.get("model_input_names", ["token_type_ids"]),
    )
    if files.spec is not None:
        tokenizer.limit(files.spec.context)
    return tokenizer


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
    "listwise": _load_listwise,
    "blend": _load_blend,
}
_PARTS: dict[ModelKind, Callable[[str, LoadOptions, Limits], _Part]] = {
    "cross-encoder": _load_cross_encoder,
    "late-interaction": _load_table_interaction,
    "embedding": _load_bi_encoder,
}
_CROSS_ENCODERS: dict[str, Callable[[TextTokenizer, Layout, LoadOptions], Backend]] = {
    "torch": _torch_cross_encoder,
    "onnx": _onnx_cross_encoder,
}
