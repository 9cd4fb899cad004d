"""What the library knows about a model before it opens a file: a row of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ModelKind = Literal["embedding", "cross-encoder", "late-interaction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model of the catalog.

    Attributes:
        name: What users write.
        kind: `embedding` (text to vector), `cross-encoder` (pair to scores, of relevance or of entailment) or
            `late-interaction` (token vectors compared by MaxSim).
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
