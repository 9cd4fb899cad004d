"""Sets of labelled texts and pairs: similarity, classification, entailment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, scifact_claims
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.data.scifact import judged_claims
from jina_components.fine_tuner.sampling import place


@dataclass(frozen=True, slots=True)
class SimilaritySet:
    """Pairs of texts and how alike people judged them."""

    first: list[str]
    second: list[str]
    judged: list[float]


@dataclass(frozen=True, slots=True)
class ClassificationSet:
    """Texts to train on and to measure on, each with its label in words."""

    train: list[tuple[str, str]]
    test: list[tuple[str, str]]

    @property
    def labels(self) -> list[str]:
        """All labels, sorted."""
        return sorted({label for _, label in self.train})


@dataclass(frozen=True, slots=True)
class EntailmentSet:
    """Pairs (premise, hypothesis), and whether the premise entails the hypothesis."""

    pairs: list[tuple[str, str]]
    entailed: list[bool]

    def sample(self, pairs: int | None) -> EntailmentSet:
        """That many of the pairs, drawn by hash: a larger sample holds a smaller one. None: all."""
        order = sorted(range(len(self.pairs)), key=lambda row: place(" ".join(self.pairs[row])))
        kept = sorted(order[:pairs])
        return EntailmentSet([self.pairs[row] for row in kept], [self.entailed[row] for row in kept])


def load_stsb(data: Path) -> SimilaritySet:
    """STS benchmark, English dev.

    Raises:
        ConfigError: the file is missing.
    """
    rows = list(read_jsonl(data / "sts" / "stsb_multi" / "en_dev.jsonl.gz"))
    return SimilaritySet([row["a"] for row in rows], [row["b"] for row in rows], [row["score"] for row in rows])


def load_classification(data: Path, name: str) -> ClassificationSet:
    """A classification set by name, see `CLASSIFICATION`: its training split, and its dev split to measure on.

    Raises:
        ConfigError: a file of the set is missing.
    """
    return CLASSIFICATION[name](data / "classification" / name)


def load_entailment(data: Path, name: str) -> EntailmentSet:
    """An entailment set by name, see `ENTAILMENT`; of sets that recipes train on, the held-back part.

    Raises:
        ConfigError: a file of the set is missing.
    """
    rows = list(ENTAILMENT[name](data))
    return EntailmentSet([(premise, claim) for premise, claim, _ in rows], [entailed for _, _, entailed in rows])


def _clinc150(folder: Path) -> ClassificationSet:
    def read(split: str) -> list[tuple[str, str]]:
        return [(row["text"], row["label"].replace("_", " ")) for row in read_jsonl(folder / f"{split}.jsonl.gz")]

    return ClassificationSet(read("train"), read("val"))


def _sib200(folder: Path) -> ClassificationSet:
    rows = list(read_jsonl(folder / "eng_Latn.jsonl.gz"))

    def of(split: str) -> list[tuple[str, str]]:
        return [(row["text"], row["label"]) for row in rows if row["split"] == split]

    return ClassificationSet(of("train"), of("dev"))


def _sentconv(folder: Path) -> ClassificationSet:
    def read(split: str) -> list[tuple[str, str]]:
        rows = read_jsonl(folder / f"stsa.binary.{split}.jsonl.gz")
        return [(row["text"], ("negative", "positive")[row["label"]]) for row in rows]

    return ClassificationSet(read("train"), read("dev"))


_Rows: TypeAlias = Iterator[tuple[str, str, bool]]  # premise, hypothesis, whether it is entailed


def _fever(data: Path) -> _Rows:
    """The held-back tenth."""
    held_back = fever_pairs(data)
    rows = read_jsonl(data / "grounding" / "fever_pairs" / "fever_dev_pairs.jsonl.gz")
    return (_pair(row) for row in rows if row["hypothesis"] in held_back)


def _pair(row: Mapping[str, str]) -> tuple[str, str, bool]:
    return row["premise"], row["hypothesis"], row["label"] == "entailment"


def _foolmetwice(data: Path) -> _Rows:
    """Dev, with the gold evidence."""
    for row in read_jsonl(data / "grounding" / "foolmetwice" / "dev.jsonl.gz"):
        yield " ".join(part["text"] for part in row["gold_evidence"]), row["text"], row["label"] == "SUPPORTS"


def _scifact(data: Path) -> _Rows:
    """The held-back half of the claims, with the chosen sentences."""
    held_back = scifact_claims(data)
    return ((c.premise, c.text, c.supported) for c in judged_claims(data) if c.id in held_back)


CLASSIFICATION: Mapping[str, Callable[[Path], ClassificationSet]] = {
    "clinc150": _clinc150,
    "sib200": _sib200,
    "sentconv": _sentconv,
}
ENTAILMENT: Mapping[str, Callable[[Path], _Rows]] = {
    "fever": _fever,
    "foolmetwice": _foolmetwice,
    "scifact_claims": _scifact,
}
