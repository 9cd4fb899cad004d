"""Embedding models by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.calibration import TEXTS
from jina_components.models.embedding import EmbeddingModel, Identity, LocalModel, RemoteModel, Tasks
from jina_components.models.files import ModelFiles, find_spec
from jina_components.models.fingerprint import fingerprint
from jina_components.models.layout import Layout, Module, adapter_names
from jina_components.models.loading.checkpoints import (
    choose_backend,
    context_of,
    find,
    log_choice,
    refuse_backend,
    transformer_tokenizer,
)
from jina_components.models.loading.options import LoadOptions
from jina_components.models.loading.vision import is_vision_embedding, load_vision_embedding
from jina_components.models.multi_vector import (
    MultiVectorModel,
    MultiVectorTokenizer,
    every_token,
    is_multi_vector,
    read_tokenizer,
)
from jina_components.models.picturing import ImageSide, VisionModel
from jina_components.models.runner import ModelRunner
from jina_components.models.sequences import Backend
from jina_components.models.tokenize import TextTokenizer, load_tokenizer, unknown_token_id

if TYPE_CHECKING:
    from jina_components.models.backends.static import StaticBackend

logger = logging.getLogger(__name__)
# Of types whose checkpoints leave it to code of their own.
_POOLING = {"jina_embeddings_v5": "lasttoken", "jina_clip": "mean"}
# To be raised when a change of ours changes vectors, so that a cache does not mix them.
_NUMERICS = 1


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
    late = spec is not None and spec.kind == "late-interaction" and bool(spec.token_dimensions)
    files, layout = find(name, options, "late-interaction" if late else "embedding")
    if is_multi_vector(layout):
        tokens, runner, widths = load_tokens(files, layout, options)
        return MultiVectorModel(name, runner, widths, tokens.document.context, tokens.sequences)
    if is_vision_embedding(layout):
        return _load_vision(files, layout, options, identify=identify)
    return load_local(files, layout, options, identify=identify)


def load_tokens(
    files: ModelFiles, layout: Layout, options: LoadOptions
) -> tuple[MultiVectorTokenizer, ModelRunner, tuple[int, ...]]:
    """A ColBERT checkpoint: tokenizer, owner thread, and the widths that its vectors may have."""
    from jina_components.models.backends.torch_tokens import TorchTokenBackend

    refuse_backend(layout, options)
    tokenizer = read_tokenizer(layout, files.spec, context=context_of(layout, None))
    backend = TorchTokenBackend(
        layout,
        device=options.device,
        precision=options.precision,
        calibration=tokenizer.documents(TEXTS, truncate=True) if options.precision == "int8" else (),
    )
    log_choice(files.name, "torch", backend, options)
    widths = (backend.width,) if files.spec is None else files.spec.token_dimensions
    if backend.width != widths[0]:
        raise ModelFilesError(f"{layout.folder} gives vectors of {backend.width} dimensions, not {widths[0]}.")
    return tokenizer, ModelRunner(backend, token_budget=options.token_budget), widths


def load_local(files: ModelFiles, layout: Layout, options: LoadOptions, *, identify: bool = False) -> LocalModel:
    """A sentence-transformers folder, a plain checkpoint or a token table."""
    name, layout = files.name, _with_pooling(files, layout)
    revision = files.revision or (fingerprint(files.folder) if identify else "")
    backend_name = choose_backend(layout, options)
    tokenizer, backend = _EMBEDDING_BACKENDS[backend_name](files, layout, options)
    _refuse_unused_adapters(layout, backend, backend_name)
    log_choice(name, backend_name, backend, options)
    return LocalModel(
        tokenizer=tokenizer,
        runner=ModelRunner(backend, token_budget=options.token_budget),
        tasks=_tasks(files, layout, getattr(backend, "adapters", ())),
        identity=Identity(name, revision, f"{backend_name} {backend.precision} {_NUMERICS}"),
        takes_spans=getattr(backend, "takes_spans", False),
        images=_image_side(files, layout, options),
        trained_length=(files.spec.trained_length or None) if files.spec is not None else None,
    )


def _refuse_unused_adapters(layout: Layout, backend: Backend, name: str) -> None:
    """Vectors of the base model alone would look like those of a task."""
    there = {*adapter_names(layout.transformer.folder), *(layout.config.get("lora_adaptations") or ())}
    if unused := sorted(there - {*getattr(backend, "adapters", ())}):
        raise ModelFilesError(
            f"{layout.folder} has the adapters {', '.join(unused)}, which do not run "
            + ("with its architecture here" if name == "torch" else f"with backend={name!r}: use backend='torch'")
            + ", or merge one into the weights (peft's merge_and_unload)."
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

    return ImageSide(load, fetcher=options.fetcher)


def _load_vision(files: ModelFiles, layout: Layout, options: LoadOptions, *, identify: bool = False) -> LocalModel:
    refuse_backend(layout, options)
    revision = files.revision or (fingerprint(files.folder) if identify else "")
    parts = load_vision_embedding(layout, files.spec, device=options.device, precision=options.precision)
    log_choice(files.name, "torch", parts.vectors, options)
    runner, tokens = (ModelRunner(part, token_budget=options.token_budget) for part in (parts.vectors, parts.tokens))
    tasks = _tasks(files, layout, parts.vectors.adapters)
    return LocalModel(
        tokenizer=parts.tokenizer,
        runner=runner,
        tasks=tasks,
        identity=Identity(files.name, revision, f"torch {parts.vectors.precision} {_NUMERICS}"),
        takes_spans=True,
        images=ImageSide(lambda: VisionModel(parts.prepare, runner), fetcher=options.fetcher),
        tokens=MultiVectorModel(
            files.name,
            tokens,
            (parts.tokens.width,),
            parts.tokenizer.context,
            every_token(parts.tokenizer, tasks),
            ImageSide(lambda: VisionModel(parts.prepare_tokens, tokens), fetcher=options.fetcher),
            tasks.adapter,
        ),
    )


def _tasks(files: ModelFiles, layout: Layout, adapters: Sequence[str]) -> Tasks:
    """What the folder says of tasks, and the catalog."""
    spec, numbers = files.spec, {name: number for number, name in enumerate(adapters)}
    prompts = {**(layout.config.get("task_instructions") or {}), **layout.prompts}
    if spec is None:
        return Tasks(prompts, numbers, layout.default_prompt, own=(*prompts, *numbers))
    if lacking := set(spec.adapters.values()) - set(numbers):
        raise ModelFilesError(
            f"{files.folder} lacks the adapters {', '.join(sorted(lacking))} of {spec.name}; there is "
            f"{', '.join(numbers) or 'none'}."
        )
    chosen = {task: numbers[name] for task, name in spec.adapters.items()}
    own = (*spec.prompts, *spec.adapters)
    return Tasks({**prompts, **spec.prompts}, chosen, layout.default_prompt, spec.default_task, own)


def _with_pooling(files: ModelFiles, layout: Layout) -> Layout:
    """A checkpoint that names no pooling with the catalog's, or that of sentence-transformers: mean, or last token."""
    pooling = files.spec.pooling if files.spec is not None else _POOLING.get(layout.config.get("model_type", ""), "")
    if layout.is_static or (layout.modules and not pooling) or any(m.type == "Pooling" for m in layout.modules):
        return layout
    if not pooling:
        architecture = str((layout.config.get("architectures") or [""])[0])
        pooling = "lasttoken" if architecture.endswith("ForCausalLM") else "mean"
        logger.warning("%s names no pooling: taking %r, as sentence-transformers does", layout.folder, pooling)
    return replace(layout, modules=(layout.transformer, Module("Pooling", layout.folder, {"pooling_mode": pooling})))


def load_static(files: ModelFiles, layout: Layout, options: LoadOptions) -> tuple[TextTokenizer, StaticBackend]:
    """A token table."""
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

    tokenizer = transformer_tokenizer(files, layout)
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
    return transformer_tokenizer(files, layout), backend


# How a model runs: one class a file, imported only when it is chosen.
_EMBEDDING_BACKENDS: dict[str, Callable[[ModelFiles, Layout, LoadOptions], tuple[TextTokenizer, Backend]]] = {
    "static": load_static,
    "torch": _load_torch,
    "onnx": _load_onnx,
}
