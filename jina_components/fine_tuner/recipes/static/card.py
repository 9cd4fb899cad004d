"""The model card of a distilled table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jina_components.fine_tuner.recipes.data.sources import Source

MEASURES = {
    "scifact": "SciFact, held-back training claims, nDCG@10",
    "squad": "SQuAD 1.1, training paragraphs, 2,000 questions of a tenth of the articles, nDCG@10",
    "cosqa": "CoSQA, dev, nDCG@10",
    "cranfield": "Cranfield, nDCG@10",
    "npl": "NPL, nDCG@10",
    "anthropic_docs": "Anthropic's documentation, nDCG@10",
    "stsb": "STS benchmark, English dev, Spearman",
}


@dataclass(frozen=True, slots=True)
class Teacher:
    """Name of the distilled model, and its licence, which is that of the table too."""

    name: str
    licence: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card states.

    Attributes:
        teacher: What was distilled.
        shape: Tokens and dimensions.
        fidelity: Mean and least cosine of int8 rows against float32 rows.
        texts: Texts the table was fitted to.
        sources: Where they come from.
        quality: Result by set, see `MEASURES`; empty when not measured.
    """

    teacher: Teacher
    shape: tuple[int, int]
    fidelity: tuple[float, float]
    texts: int
    sources: Sequence[Source[Iterable[str]]]
    quality: Mapping[str, float]


def write_card(folder: Path, facts: Facts) -> None:
    """Writes the card in Markdown, with the metadata that the Hugging Face hub reads."""
    sections = (_head(folder.name, facts), _making(facts), _format(folder, facts), _quality(facts.quality))
    parts = (*sections, _limits(facts))
    (folder / "README.md").write_text("\n".join(parts), encoding="utf-8")


def _head(name: str, facts: Facts) -> str:
    tokens, dimensions = facts.shape
    return f"""---
license: {facts.teacher.licence}
language: en
library_name: sentence-transformers
tags: [static-embeddings, model2vec, sentence-similarity]
---

# {name}

A static text embedder: {tokens:,} WordPiece tokens × {dimensions} dimensions. The vector of a text is the
mean of its tokens' rows, normalised to length 1; compare by cosine. It needs no transformer and no GPU.
"""


def _making(facts: Facts) -> str:
    made = f"""## How it was made

Distilled from `{facts.teacher.name}` (licence: {facts.teacher.licence}) by
`python -m jina_components.fine_tuner.recipes.distill_static`, with Model2Vec's method (Tulkens & van Dongen
2024): each token alone through the teacher, PCA, SIF weights (Arora et al. 2017) by Zipf's law.
"""
    if not facts.sources:
        return f"{made}No text was used.\n"
    rows = "\n".join(f"| {row.name} | up to {row.limit:,} | {row.licence} |" for row in facts.sources)
    return f"""{made}The PCA is that of the teacher's vectors of {facts.texts:,} texts (the first 72 tokens).
The table was then fitted to these vectors, by Adam on 1 - cosine. No labels were used; no text is in it.

| texts | drawn | licence |
|---|---:|---|
{rows}
"""


def _format(folder: Path, facts: Facts) -> str:
    size = sum(file.stat().st_size for file in folder.iterdir() if file.name != "README.md")
    mean, least = facts.fidelity
    return f"""## Format

`model.safetensors` holds `embeddings` (int8) and `weights` (float32, one a row): a row is their product.
Against the float32 table the rows have cosine {mean:.5f} on average, {least:.5f} at least.
The folder takes {size / 1e6:.1f} MB. sentence-transformers and model2vec load it as it is, in releases
that know `weights` (6.2 and 0.10 do; sentence-transformers 5.1 refuses int8).
"""


def _quality(quality: Mapping[str, float]) -> str:
    if not quality:
        return "## Quality\n\nNot measured: the recipe measures when it is given `--data`.\n"
    rows = "\n".join(f"| {MEASURES[name]} | {value:.3f} |" for name, value in quality.items())
    return f"""## Quality

By exact search, without a lexical part. Of these sets, texts of SQuAD alone were fitted to, without labels.
The recipe's settings were chosen on the same sets: expect a little less elsewhere.

| set | result |
|---|---:|
{rows}
"""


def _limits(facts: Facts) -> str:
    return f"""## Limits

English, lower-cased. Word order, negation and the sense of a word in its context are lost. Long texts blur
into their topic: embed passages, not documents. It inherits the biases of its teacher. Names and rare words
are better found by a lexical ranking: mix the two.

## Licence

{facts.teacher.licence}, that of the teacher.
"""
