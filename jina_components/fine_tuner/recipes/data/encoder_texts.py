"""Texts that the small embedder is distilled on: a row a source, and the cuts of a text that it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from jina_components.fine_tuner.recipes.data.held_back import fever_pairs
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.data.sources import Source
from jina_components.fine_tuner.recipes.data.table_texts import SOURCES as TABLE_SOURCES
from jina_components.fine_tuner.recipes.data.texts import SENTENCE_END

# Of the cuts of a text: some of its sentences, and some of its words, as short as a query is.
_SENTENCES, _WORDS = 0.35, 0.15
_MOST_WORDS = 12


def _fever(data: Path) -> Iterator[str]:
    held_back = fever_pairs(data)
    for row in read_jsonl(data / "grounding/fever_pairs/fever_dev_pairs.jsonl.gz"):
        if row["hypothesis"] not in held_back:
            yield from (row["premise"], row["hypothesis"])


def _scifact(data: Path) -> Iterator[str]:
    for row in read_jsonl(data / "retrieval/scifact/corpus.jsonl.gz"):
        yield from (row["title"], row["text"])


def _wikipedia(data: Path) -> Iterator[str]:
    for row in read_jsonl(data / "deepsearch/wiki2_passages/passages.jsonl.gz"):
        yield f"{row['title']} {row['text']}"


def _intents(data: Path) -> Iterator[str]:
    return (row["text"] for row in read_jsonl(data / "classification/clinc150/train.jsonl.gz"))


def _tables(data: Path) -> Iterator[str]:
    return (row["statement"] for row in read_jsonl(data / "grounding/tabfact_val/statements.jsonl.gz"))


SOURCES: tuple[Source[Iterable[str]], ...] = (
    *(replace(source, limit=200_000) for source in TABLE_SOURCES),  # all of their texts
    Source("FEVER premises and claims, without the held-back", "CC BY-SA 3.0", 200_000, _fever),
    Source("SciFact abstracts", "ODC-By", 200_000, _scifact),
    Source("2WikiMultihopQA passages", "Apache-2.0", 200_000, _wikipedia),
    Source("CLINC150 training utterances", "CC BY 3.0", 200_000, _intents),
    Source("TabFact statements", "CC BY 4.0", 200_000, _tables),
)


def cut(text: str, random: np.random.Generator) -> str:
    """The text, some sentences of it, or some words of it: what an embedder is given differs in length."""
    draw = random.random()
    if draw < _WORDS:
        return _stretch(text.split(), random, int(random.integers(2, _MOST_WORDS + 1)), " ")
    if draw < _WORDS + _SENTENCES:
        return _stretch(SENTENCE_END.split(text), random, int(random.integers(1, 4)), " ")
    return text


def _stretch(parts: Sequence[str], random: np.random.Generator, length: int, joint: str) -> str:
    start = int(random.integers(0, max(1, len(parts) - length + 1)))
    return joint.join(parts[start : start + length])


def cuts(texts: Iterable[str], seed: int, epoch: int) -> list[str]:
    """A cut of each text, the same for the same seed and epoch."""
    random = np.random.default_rng([seed, epoch])
    return [cut(text, random) for text in texts]
