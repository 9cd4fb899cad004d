"""jina-embeddings-v4 and jina-reranker-m0 from their folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from jina_components.models.layout import Layout, read_json
from jina_components.models.loading.checkpoints import NO_LIMIT
from jina_components.models.tokenize import TextTokenizer, load_tokenizer
from jina_components.models.vision_prompts import PairPrompts, VisionPrompts

if TYPE_CHECKING:
    import PIL.Image

    from jina_components.models.backends.qwen_vl import QwenEmbeddingBackend, QwenScoringBackend, QwenTokenBackend
    from jina_components.models.patches import PatchProcessor
    from jina_components.models.sequences import TokenSequence
    from jina_components.models.spec import ModelSpec

# Of config.json: longest text side, at the top in older files.
_TEXT = "text_config"


class VisionEmbedding(NamedTuple):
    """What embeds texts and images.

    Attributes:
        tokenizer: Of texts.
        vectors: A vector a text or image.
        tokens: A vector a token, of the same weights.
        prepare: An RGB image for the number of an adapter, to be run by `vectors`.
        prepare_tokens: Likewise by `tokens`.
    """

    tokenizer: TextTokenizer
    vectors: QwenEmbeddingBackend
    tokens: QwenTokenBackend
    prepare: Callable[[PIL.Image.Image, int], TokenSequence]
    prepare_tokens: Callable[[PIL.Image.Image, int], TokenSequence]


class VisionRanker(NamedTuple):
    """What scores texts and images."""

    prompts: PairPrompts
    processor: PatchProcessor
    backend: QwenScoringBackend


def is_vision_embedding(layout: Layout) -> bool:
    """Whether a folder is of jina-embeddings-v4."""
    return (layout.config.get("architectures") or [""])[0] == "JinaEmbeddingsV4Model"


def is_vision_ranker(layout: Layout) -> bool:
    """Whether a folder is of jina-reranker-m0."""
    return (layout.config.get("architectures") or [""])[0] == "JinaVLForRanking"


def load_vision_embedding(
    layout: Layout, spec: ModelSpec | None, *, device: str = "auto", precision: str = "auto"
) -> VisionEmbedding:
    """Load a folder that `is_vision_embedding`.

    Args:
        layout: The folder.
        spec: Its row of the catalog, or None.
        device: As `pick_device` takes it.
        precision: As `QwenVL` takes it.

    Raises:
        ModelFilesError, ConfigError, MissingDependencyError, BackendError: it cannot be loaded; says why.
    """
    from jina_components.models.backends.qwen_vl import PROJECTOR, QwenEmbeddingBackend, QwenTokenBackend, QwenVL

    folder = layout.transformer.folder
    parsed = load_tokenizer(folder / "tokenizer.json")
    parsed.encode_special_tokens = True  # those within texts stay text
    prompts = VisionPrompts(parsed)
    model = QwenVL(folder, layout.config, heads=(PROJECTOR,), device=device, precision=precision)
    tile_tokens = 1 if spec is None else spec.tile_tokens

    def prepare(picture: PIL.Image.Image, adapter: int, *, every_token: bool = False) -> TokenSequence:
        patches = model.processor(picture)._replace(tile_tokens=tile_tokens)
        return prompts.image(patches, adapter=adapter, every_token=every_token)

    return VisionEmbedding(
        tokenizer=TextTokenizer(parsed, context=_context(layout, spec), segments=False),
        vectors=QwenEmbeddingBackend(model),
        tokens=QwenTokenBackend(model),
        prepare=prepare,
        prepare_tokens=lambda picture, adapter: prepare(picture, adapter, every_token=True),
    )


def load_vision_ranker(
    layout: Layout, spec: ModelSpec | None, *, device: str = "auto", precision: str = "auto"
) -> VisionRanker:
    """Load a folder that `is_vision_ranker`; arguments and errors as `load_vision_embedding`."""
    from jina_components.models.backends.qwen_vl import SCORE, QwenScoringBackend, QwenVL

    folder = layout.transformer.folder
    prompts = VisionPrompts(load_tokenizer(folder / "tokenizer.json"))
    model = QwenVL(folder, layout.config, heads=SCORE, device=device, precision=precision)
    return VisionRanker(PairPrompts(prompts, _context(layout, spec)), model.processor, QwenScoringBackend(model))


def _context(layout: Layout, spec: ModelSpec | None) -> int:
    """Longest sequence: the catalog's, the tokenizer's or that of the positions, whichever is least."""
    folder, config = layout.transformer.folder, layout.config
    limits = [
        read_json(folder / "tokenizer_config.json", default={}).get("model_max_length"),
        (config.get(_TEXT) or config).get("max_position_embeddings"),
        None if spec is None else spec.context,
    ]
    return min(int(limit) for limit in (*limits, NO_LIMIT) if limit)
