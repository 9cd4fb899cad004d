"""Models that score, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeAlias, TypeVar

from jina_components.errors import ConfigError, JinaComponentsError, ModelFilesError
from jina_components.models.blend import Blend
from jina_components.models.calibration import TEXTS
from jina_components.models.catalog import BY_NAME
from jina_components.models.entailing import EntailmentModel
from jina_components.models.files import ModelFiles, find_files, find_spec
from jina_components.models.labels import RELEVANCE, entailment_columns, read_labels, relevance_column
from jina_components.models.layout import Layout, read_json, read_layout
from jina_components.models.list_prompt import ListPrompt
from jina_components.models.listwise import Listwise
from jina_components.models.loading.checkpoints import (
    NO_LIMIT,
    choose_backend,
    context_of,
    find,
    log_choice,
    refuse_backend,
    transformer_tokenizer,
)
from jina_components.models.loading.embedding import load_local, load_static, load_tokens
from jina_components.models.loading.options import LoadOptions
from jina_components.models.loading.vision import is_vision_ranker, load_vision_ranker
from jina_components.models.maxsim import MaxSimScorer
from jina_components.models.multi_vector import is_multi_vector
from jina_components.models.picturing import ImageFetcher
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
from jina_components.models.tokenize import TextTokenizer, load_tokenizer
from jina_components.models.vision_scoring import VisionCrossEncoder

T = TypeVar("T")
_Part: TypeAlias = CrossEncoder | LateInteraction | BiEncoder


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
        files, layout = find(name, options, kind)
        if is_vision_ranker(layout):
            return _load_vision_ranker(files, layout, options, limits)
    return _SCORERS.get(kind, _load_cross_encoder)(name, options, limits)


def _kind_of(name: str, options: LoadOptions) -> ModelKind:
    """What scores with a folder that is not of the catalog."""
    files = find_files(name, revision=options.revision, offline=options.offline)
    return "late-interaction" if is_multi_vector(read_layout(files.folder)) else "cross-encoder"


def _load_vision_ranker(files: ModelFiles, layout: Layout, options: LoadOptions, limits: Limits) -> VisionCrossEncoder:
    refuse_backend(layout, options)
    parts = load_vision_ranker(layout, files.spec, device=options.device, precision=options.precision)
    log_choice(files.name, "torch", parts.backend, options)
    runner = ModelRunner(parts.backend, token_budget=options.token_budget)
    return VisionCrossEncoder(parts.prompts, parts.processor, runner, limits, ImageFetcher(options.fetcher))


def _load_cross_encoder(name: str, options: LoadOptions, limits: Limits) -> CrossEncoder:
    tokenizer, runner, column = _load_pair_model(name, options, relevance_column)
    return CrossEncoder(tokenizer, runner, limits, column)


def _load_late_interaction(name: str, options: LoadOptions, limits: Limits) -> MultiVectorScorer | LateInteraction:
    files, layout = find(name, options, "late-interaction")
    if is_multi_vector(layout):
        tokenizer, runner, _ = load_tokens(files, layout, options)
        return MultiVectorScorer(tokenizer, runner, limits)
    return _load_table_interaction(name, options, limits)


def _load_table_interaction(name: str, options: LoadOptions, limits: Limits) -> LateInteraction:
    options.refuse("late interaction", "token_budget")
    files, layout = find(name, options, "late-interaction")
    choose_backend(layout, options)
    tokenizer, table = load_static(files, layout, options)
    return LateInteraction(tokenizer, MaxSimScorer(table), limits)


def _load_listwise(name: str, options: LoadOptions, limits: Limits) -> Listwise:
    from jina_components.models.backends.torch_listwise import TorchListwiseBackend

    files, layout = find(name, options, "listwise")
    refuse_backend(layout, options)
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
    limited = context_of(layout, settings.get("model_max_length")), files.spec and files.spec.context
    context = min((length for length in limited if length), default=NO_LIMIT)
    longest = prompt.longest(limits.query, limits.document)
    if longest > context:
        raise ConfigError(
            f"A query and a document may have {longest} tokens together, the model has {context}: lower "
            "max_query_length or max_document_length."
        )
    budget = min(options.token_budget or backend.token_budget, context)
    log_choice(name, "torch", backend, options)
    return Listwise(prompt, ModelRunner(backend, token_budget=budget), limits, budget)


def _load_bi_encoder(name: str, options: LoadOptions, limits: Limits) -> BiEncoder:
    files, layout = find(name, options, "embedding")
    model = load_local(files, layout, options)
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
    files, layout = find(name, options, "cross-encoder")
    if files.spec is None and not layout.is_cross_encoder:
        raise ModelFilesError(
            f"{name!r} is no cross-encoder: it has the architecture {layout.config.get('architectures')} and "
            f"the steps {[module.type for module in layout.modules]}, not one …ForSequenceClassification."
        )
    labels = read_labels(layout.config)
    if files.spec is not None and not layout.config.keys() & {"id2label", "num_labels"}:
        labels = files.spec.labels or (RELEVANCE,)
    chosen = choose(labels, name)
    tokenizer = transformer_tokenizer(files, layout)
    backend_name = choose_backend(layout, options)
    backend = _CROSS_ENCODERS[backend_name](tokenizer, layout, options)
    if backend.width != len(labels):
        raise ModelFilesError(f"{name!r} has a head of {backend.width} labels, but names {len(labels)}: {labels}.")
    log_choice(name, backend_name, backend, options)
    return tokenizer, ModelRunner(backend, token_budget=options.token_budget), chosen


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
