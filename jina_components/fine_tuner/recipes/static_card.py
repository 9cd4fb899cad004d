"""The model card of a distilled table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jina_components.fine_tuner.recipes.static_texts import Source

MEASURES = {
    "scifact": "SciFact, training queries, nDCG@10",
    "squad": "SQuAD 1.1, training paragraphs, 2,000 questions, nDCG@10",
    "cosqa": "CoSQA, dev, MRR@10",
    "cranfield": "Cranfield, nDCG@10",
    "npl": "NPL, nDCG@10",
    "stsb": "STS benchmark, English dev, Spearman",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card states.

    Attributes:
        teacher: Name of the teacher.
        shape: Tokens and dimensions.
        size: Bytes of the folder without the card.
        fidelity: Mean and least cosine of int8 rows against float32 rows.
        texts: Texts the table was fitted to.
        sources: Where they come from.
        quality: Result by set, see `MEASURES`; empty when not measured.
    """

    teacher: str
    shape: tuple[int, int]
    size: int
    fidelity: tuple[float, float]
    texts: int
    sources: Sequence[Source]
    quality: Mapping[str, float]


def write(name: str, facts: Facts) -> str:
    """The card in Markdown, with the metadata that the Hugging Face hub reads."""
    tokens, dimensions = facts.shape
    mean, least = facts.fidelity
    return f"""---
license: apache-2.0
language: en
library_name: sentence-transformers
tags: [static-embeddings, model2vec, sentence-similarity]
---

# {name}

A static text embedder: {tokens:,} WordPiece tokens × {dimensions} dimensions. The vector of a text is the mean of
its tokens' rows, normalised to length 1; compare by cosine. It needs no transformer and no GPU.

## How it was made

Distilled from `{facts.teacher}` (Apache-2.0) by
`python -m jina_components.fine_tuner.recipes.distill_static`, with Model2Vec's method (Tulkens & van Dongen
2024): each token alone through the teacher, PCA, SIF weights (Arora et al. 2017) by Zipf's law.
{_fitting(facts)}

## Format

`model.safetensors` holds `embeddings` (int8) and `weights` (float32, one a row): a row is their product.
Against the float32 table the rows have cosine {mean:.5f} on average, {least:.5f} at least. {facts.size / 1e6:.1f} MB in all.
sentence-transformers and model2vec load the folder as it is (releases that know `weights`; checked with 6.2 and 0.10).

## Quality

{_quality(facts.quality)}

## Limits

English, lower-cased. Word order, negation and the sense of a word in its context are lost. Long texts blur into
their topic: embed passages, not documents. It inherits the biases of its teacher. Best mixed with a lexical ranking.

## Licence

Apache-2.0, that of the teacher.
"""


def _fitting(facts: Facts) -> str:
    if not facts.sources:
        return "No text was used."
    rows = "\n".join(f"| {source.name} | up to {source.limit:,} | {source.licence} |" for source in facts.sources)
    return f"""The table was then fitted, by Adam on 1 - cosine, to the teacher's vectors of the first 72 tokens of
{facts.texts:,} texts, reduced by the same PCA. No labels were used, and no text is in the table.

| texts | drawn | licence |
|---|---:|---|
{rows}"""


def _quality(quality: Mapping[str, float]) -> str:
    if not quality:
        return "Not measured: the recipe measures when it is given `--data`."
    rows = "\n".join(f"| {MEASURES[name]} | {value:.3f} |" for name, value in quality.items())
    return f"""By exact search, without a lexical part. Texts of SQuAD's paragraphs and questions were among those fitted to.

| set | result |
|---|---:|
{rows}"""
