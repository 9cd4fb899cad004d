"""Labelled vectors to learn from and to be measured on: texts in one or ten languages, and photos."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components import Embedder, Image
from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

PHOTOS = Path("images/clothing_small")
TASK = "classification"


@dataclass(frozen=True)
class LabelledSet:
    """Inputs with their labels, in words.

    Attributes:
        train: To draw examples from.
        test: To be measured on; empty where it is what was not drawn.
        outside: Inputs of no label.
    """

    train: Sequence[tuple[str | Image, str]]
    test: Sequence[tuple[str | Image, str]] = ()
    outside: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Vectors:
    """A set as one embedder sees it; `labels` are positions in `names`, and `words` embeds those."""

    names: Sequence[str]
    words: FloatArray
    train: FloatArray
    train_labels: NDArray[np.int64]
    test: FloatArray
    test_labels: NDArray[np.int64]
    outside: FloatArray

    def draw(self, shots: int, seed: int) -> NDArray[np.int64] | None:
        """Rows of `train`, that many of each label, shuffled; None where a label has fewer, or all would be drawn."""
        random = np.random.default_rng(seed)
        rows = [random.permutation(np.flatnonzero(self.train_labels == label)) for label in range(len(self.names))]
        spare = 0 if len(self.test) else 1
        if min(len(own) for own in rows) < shots + spare:
            return None
        return random.permutation(np.concatenate([own[:shots] for own in rows]))

    def tests(self, drawn: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.int64]]:
        """What is measured on: the test split, or what was not drawn."""
        if len(self.test):
            return self.test, self.test_labels
        left = np.setdiff1d(np.arange(len(self.train)), drawn)
        return self.train[left], self.train_labels[left]


def clinc150(data: Path) -> LabelledSet:
    """Intents, and questions of none."""
    folder = data / "classification/clinc150"
    train, test = (_rows(folder / f"{split}.jsonl.gz") for split in ("train", "test"))
    return LabelledSet(train, test, [text for text, _ in _rows(folder / "oos_test.jsonl.gz")])


def sib200_en(data: Path) -> LabelledSet:
    """Topics, English; tested on what was not drawn, since the published splits at hand are small."""
    return LabelledSet(_rows(data / "classification/sib200/eng_Latn.jsonl.gz"))


def sib200_all(data: Path) -> LabelledSet:
    """Topics, all languages together; the same sentences in each, so that train and dev stay apart."""
    files = sorted((data / "classification/sib200").glob("*.jsonl.gz"))
    if not files:
        raise ConfigError(f"{data / 'classification/sib200'} has no *.jsonl.gz.")
    rows = [row for file in files for row in read_jsonl(file)]
    train, dev = ([(row["text"], row["label"]) for row in rows if row["split"] == split] for split in ("train", "dev"))
    return LabelledSet(train, dev)


def sst2(data: Path) -> LabelledSet:
    """Sentences of film reviews, negative or positive."""
    folder = data / "classification/sentconv"

    def read(split: str) -> list[tuple[str, str]]:
        rows = read_jsonl(folder / f"stsa.binary.{split}.jsonl.gz")
        return [(row["text"], ("negative", "positive")[row["label"]]) for row in rows]

    return LabelledSet(read("train"), read("test"))


def clothing(data: Path) -> LabelledSet:
    """Photos of clothes."""
    return LabelledSet(list(_photos(data / PHOTOS / "train20.tar")), list(_photos(data / PHOTOS / "validation.tar")))


SETS: dict[str, Callable[[Path], LabelledSet]] = {
    "clinc150": clinc150,
    "sib200-en": sib200_en,
    "sib200-all": sib200_all,
    "sst2": sst2,
}


def _rows(path: Path) -> list[tuple[str, str]]:
    return [(row["text"], row["label"].replace("_", " ").replace("/", " or ")) for row in read_jsonl(path)]


def _photos(path: Path) -> Iterator[tuple[Image, str]]:
    if not path.is_file():
        raise ConfigError(f"{path} is missing: --data must be a folder laid out as benchmarks/README.md says.")
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield Image(file.read()), Path(member.name).parent.name.replace("-", " ")


def embed(embedder: Embedder, labelled: LabelledSet) -> Vectors:
    """The set as the embedder sees it."""
    names = sorted({label for _, label in labelled.train})
    place = {name: position for position, name in enumerate(names)}

    def vectors(inputs: Sequence[str | Image]) -> FloatArray:
        found = embedder.embed(list(inputs), task=TASK, show_progress=len(inputs) > 100).vectors
        return np.asarray(found, np.float32)

    words = vectors(names)
    sides = [
        (
            vectors([one for one, _ in rows]) if rows else words[:0],
            np.array([place[label] for _, label in rows], np.int64),
        )
        for rows in (labelled.train, labelled.test)
    ]
    outside = vectors(labelled.outside) if labelled.outside else words[:0]
    return Vectors(names, words, *sides[0], *sides[1], outside)
