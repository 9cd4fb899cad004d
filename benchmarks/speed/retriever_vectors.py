"""Real embeddings for the benchmark of the Retriever, made once and kept: texts, their vectors, and queries.

The texts are those of every set under the data folder: sentences, passages, definitions, answers, cut into windows of
`_WORDS` words; where they are too few, windows that begin half-way are added. Distinct, in an order drawn once. The
queries are questions of SQuAD, which are not among the texts.
"""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

MODEL = "static-minilm-v1"
QUERIES = 1000
K = 10
_QUESTIONS = Path("retrieval/squad/train_questions.jsonl.gz")
_LEFT_OUT = ("reader",)  # whole web pages, mark-up included
_WORDS = 24
_LEAST_CHARACTERS = 30
_LONGEST_WORD = 24  # a longer one is text without spaces
_OPEN: dict[str, Callable[[Path], IO[bytes]]] = {".gz": gzip.open, ".xz": lzma.open}  # type: ignore[dict-item]
_BATCH = 10_000


@dataclass(frozen=True)
class Corpus:
    """Files of texts, vectors and queries.

    Attributes:
        folder: Where they are.
        vectors: Unit vectors, float32, shape [texts, dimensions], mapped.
        queries: Unit vectors of the queries, shape [QUERIES, dimensions].
    """

    folder: Path
    vectors: FloatArray
    queries: FloatArray

    def texts(self) -> list[str]:
        """The texts, in the order of the vectors."""
        return [json.loads(line) for line in (self.folder / "texts.jsonl").open(encoding="utf-8")]


def corpus(data: Path, cache: Path, count: int) -> Corpus:
    """Texts with their vectors, `count` of them, from the cache folder or made and put there.

    Raises:
        SystemExit: the sets do not have so many texts.
    """
    folder = cache / f"{MODEL}-{count}"
    if not (folder / "queries.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _make(data, folder, count)
    return opened(folder)


def opened(folder: Path) -> Corpus:
    """What `corpus` made."""
    return Corpus(folder, np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "queries.npy"))


def truth(made: Corpus) -> list[list[int]]:
    """The rows of the `K` nearest of each query, by comparing all; kept beside the vectors."""
    path = made.folder / "truth.npy"
    if not path.exists():
        np.save(path, np.concatenate([_nearest(made, queries) for queries in np.array_split(made.queries, 10)]))
    rows: list[list[int]] = np.load(path).tolist()
    return rows


def _nearest(made: Corpus, queries: FloatArray) -> NDArray[np.int64]:
    best = np.zeros((len(queries), 0), np.int64)
    for start in range(0, len(made.vectors), _BATCH):
        cosines = queries @ made.vectors[start : start + _BATCH].T
        rows = np.concatenate([best, start + np.argpartition(-cosines, K)[:, :K]], axis=1)
        values = np.einsum("nkd,nd->nk", made.vectors[rows], queries)
        best = np.take_along_axis(rows, np.argsort(-values, axis=1)[:, :K], 1)
    return best


def _make(data: Path, folder: Path, count: int) -> None:
    from jina_components import Embedder

    texts = _texts(data, count)
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
    embedder = Embedder(MODEL, truncate=True)
    batches = (texts[start : start + _BATCH] for start in range(0, count, _BATCH))
    np.save(folder / "vectors.npy", np.concatenate([embedder.embed_documents(batch) for batch in batches]))
    questions = [row["text"] for row in _rows(data / _QUESTIONS)]
    drawn = np.random.default_rng(0).permutation(len(questions))[:QUERIES]
    np.save(folder / "queries.npy", np.stack([embedder.embed_query(questions[row]) for row in drawn]))


def _texts(data: Path, count: int) -> list[str]:
    found: dict[str, None] = {}
    for offset in (0, _WORDS // 2):
        for text in _strings_of_all(data):
            found.update(dict.fromkeys(_windows(text, offset)))
        if len(found) >= count:
            break
    if len(found) < count:
        raise SystemExit(f"{data} has {len(found):,} texts, not {count:,}; pass a smaller --vectors.")
    texts = list(found)
    return [texts[row] for row in np.random.default_rng(0).permutation(len(texts))[:count]]


def _windows(text: str, offset: int) -> Iterator[str]:
    words = text.split()
    if any(len(word) > _LONGEST_WORD for word in words):
        words = [word[at : at + _LONGEST_WORD] for word in words for at in range(0, len(word), _LONGEST_WORD)]
    for start in range(offset, max(len(words), 1), _WORDS):
        window = " ".join(words[start : start + _WORDS])
        if len(window) >= _LEAST_CHARACTERS:
            yield window


def _strings_of_all(data: Path) -> Iterator[str]:
    for path in sorted(data.rglob("*.jsonl*")):
        if path.relative_to(data) == _QUESTIONS or path.relative_to(data).parts[0] in _LEFT_OUT:
            continue
        for row in _rows(path):
            yield from (text for text in _strings(row) if " " in text or not text.isascii())


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(inner)


def _rows(path: Path) -> Iterator[Any]:
    with _OPEN.get(path.suffix, lambda path: path.open("rb"))(path) as lines:
        yield from map(json.loads, lines)
