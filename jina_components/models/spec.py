"""What the library knows about a model before it opens a file: a row of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ModelKind = Literal["embedding", "cross-encoder", "late-interaction", "listwise", "blend", "generative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model of the catalog.

    Attributes:
        name: What users write.
        kind: `embedding` (text or image to vector), `cross-encoder` (pair to scores, of relevance or of entailment),
            `late-interaction` (a vector a token, compared by MaxSim), `listwise` (query and documents in one pass),
            `blend` (scores of several models, summed) or `generative` (text to text).
        hub_id: Repository on the hub, or empty for a model that ships with the package.
        revision: Pinned commit of that repository.
        folder: Name of the bundled folder that holds the files, or empty.
        aliases: Other names users know it by.
        dimensions: Width of its vectors; 0 for kinds that score.
        matryoshka: Widths it was trained to be cut to, largest first, its own among them; empty when it was not.
        token_dimensions: Widths of its vectors of tokens, largest first; empty when it has none.
        prompts: Text put before the input, by task (those of `Embedder`, or the model's own beside them), for a model
            whose folder does not carry it; a task that is not named takes the folder's prompt, or none.
        adapters: Name of the checkpoint's adapter that a task runs with; other tasks run without one.
        pooling: Of the tokens' vectors, where the checkpoint's folder names none: `mean` or `lasttoken`.
        default_task: The task when none is asked for; empty for none, with the folder's default prompt.
        modalities: What it takes: `text`, `image`.
        tile: Pixels of an image that count as `tile_tokens` tokens, width by height, each begun; (0, 0) without images.
        parameters: Number of its weights; 0 where it is not known here.
        context: Longest input in tokens.
        trained_length: Tokens of the longest inputs that it was trained on, where that is less than its context: late
            chunking fills windows no further.
        languages: BCP 47 tags.
        license: SPDX id of the weights.
        score: What the score of a reranking kind means.
        labels: What a cross-encoder scores, by column as in its config.json; empty for relevance alone.
        parts: Names of a blend's models and the weights of their scores; an embedder scores by cosine.
        offset: Added to a blend's sum.
        bar: Score from which a document is more likely relevant than not, for kinds that score.
    """

    name: str
    kind: ModelKind
    hub_id: str = ""
    revision: str = ""
    folder: str = ""
    aliases: tuple[str, ...] = ()
    dimensions: int = 0
    matryoshka: tuple[int, ...] = ()
    token_dimensions: tuple[int, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    adapters: Mapping[str, str] = field(default_factory=dict)
    pooling: str = ""
    default_task: str = ""
    modalities: tuple[str, ...] = ("text",)
    tile: tuple[int, int] = (0, 0)
    tile_tokens: int = 0
    parameters: int = 0
    context: int
    trained_length: int = 0
    languages: tuple[str, ...] = ("en",)
    license: str
    score: str = ""
    labels: tuple[str, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    offset: float = 0.0
    bar: float = 0.5

    @property
    def bundled(self) -> bool:
        """Whether it ships with the package; blends are of models that do."""
        return bool(self.folder or self.parts)

    @property
    def non_commercial(self) -> bool:
        """Whether the licence of the weights excludes commercial use."""
        return "-NC" in self.license.upper()
