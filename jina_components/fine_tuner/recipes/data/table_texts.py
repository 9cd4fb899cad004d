"""Texts that a static table is fitted on: a row a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from jina_components.fine_tuner.recipes.data.held_back import squad_questions
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.data.sources import Source
from jina_components.fine_tuner.recipes.data.texts import documented_functions


def _squad_paragraphs(data: Path) -> Iterator[str]:
    return (row["text"] for row in read_jsonl(data / "retrieval/squad/train_paras.jsonl.gz"))


def _squad_questions(data: Path) -> Iterator[str]:
    held_back = squad_questions(data)
    rows = read_jsonl(data / "retrieval/squad/train_questions.jsonl.gz")
    return (row["text"] for row in rows if row["_id"] not in held_back)


def _wordnet(data: Path) -> Iterator[str]:
    for row in read_jsonl(data / "train/oewn/synsets.jsonl.gz"):
        yield f"{', '.join(row['members'])}: {'; '.join(row['def'] + row['ex'])}"


def _medquad(data: Path) -> Iterator[str]:
    for row in read_jsonl(data / "train/medquad/qa.jsonl.gz"):
        yield from (row["q"], row["a"])


def _stsb(data: Path) -> Iterator[str]:
    for row in read_jsonl(data / "sts/stsb_multi/en_train.jsonl.gz"):
        yield from (row["a"], row["b"])


def _python(_: Path) -> Iterator[str]:
    for function in documented_functions():
        yield from (function.documentation, function.source)


SOURCES: tuple[Source[Iterable[str]], ...] = (
    Source("SQuAD 1.1 training paragraphs", "CC BY-SA 4.0", 12_000, _squad_paragraphs),
    Source("SQuAD 1.1 training questions, without the held-back", "CC BY-SA 4.0", 25_000, _squad_questions),
    Source("Open English WordNet entries", "CC BY 4.0", 50_000, _wordnet),
    Source("MedQuAD questions and answers", "CC BY 4.0", 16_000, _medquad),
    Source("STS benchmark training sentences", "CC BY-SA 4.0", 12_000, _stsb),
    Source("functions of the Python standard library", "PSF-2.0", 8_000, _python),
)


def collect(data: Path, sources: Sequence[Source[Iterable[str]]], seed: int) -> list[str]:
    """Distinct texts of all sources in random order.

    Raises:
        ConfigError: a file of a source is missing.
    """
    random = np.random.default_rng(seed)
    texts: dict[str, None] = {}
    for source in sources:
        found = sorted({text for text in source.read(data) if text.strip()})
        texts.update(dict.fromkeys(found[i] for i in random.permutation(len(found))[: source.limit]))
    ordered = list(texts)
    return [ordered[i] for i in random.permutation(len(ordered))]
