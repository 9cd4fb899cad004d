"""What the library knows about a model before it opens a file: a row of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ModelKind = Literal["embedding", "cross-encoder", "late-interaction", "blend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model of the catalog.

    Attributes:
        name: What users write.
        kind: `embedding` (text to vector), `cross-encoder` (pair to scores, of relevance or of entailment),
            `late-interaction` (token vectors compared by MaxSim) or `blend` (scores of several models, summed).
        hub_id: Repository on the hub, or empty for a model that ships with the package.
        revision: Pinned commit of that repository.
        folder: Name of the bundled folder that holds the files, or empty.
        aliases: Other names users know it by.
        dimensions: Width of its vectors; 0 for kinds that score.
        matryoshka: Widths it was trained to be cut to, largest first, its own among them; empty when it was not.
        prompts: Text put before the input, by task (those of `Embedder`), for a model whose folder does not carry
            it; a task that is not named takes the folder's prompt, or none.
        context: Longest input in tokens.
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
    prompts: Mapping[str, str] = field(default_factory=dict)
    context: int
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
