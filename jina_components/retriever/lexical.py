"""BM25 over an inverted index in numpy, with incremental add and delete."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

# Scripts written without spaces: their runs are indexed as overlapping pairs of characters.
_UNSPACED = (
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # Japanese and Chinese
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
)
_WORDS = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
_UNSPACED_START = re.compile(rf"[{_UNSPACED}]")


def words(text: str) -> Iterator[str]:
    """Terms of a text: case-folded Unicode words, and character bigrams of scripts without spaces."""
    for match in _WORDS.finditer(unicodedata.normalize("NFKC", text).casefold()):
        run = match.group()
        if len(run) > 1 and _UNSPACED_START.match(run):
            yield from (run[i : i + 2] for i in range(len(run) - 1))
        else:
            yield run


class BM25Index:
    """BM25 (Robertson & Zaragoza 2009) with Lucene's idf, which is never negative.

    Args:
        k1: How fast repeated terms stop counting.
        b: How much long documents are held back, 0 to 1.
    """

    def __init__(self, *, k1: float = 0.9, b: float = 0.4) -> None:
        self._k1, self._b = k1, b
        self._vocabulary: dict[str, int] = {}
        self._documents: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}  # row -> term ids, counts
        self._compiled: _Postings | None = None

    def __len__(self) -> int:
        return len(self._documents)

    def add(self, rows: Sequence[int], texts: Sequence[str]) -> None:
        """Index each text under its row number, replacing what was there."""
        vocabulary = self._vocabulary
        for row, text in zip(rows, texts, strict=True):
            counts = Counter(words(text))
            terms = np.fromiter(
                (vocabulary.setdefault(term, len(vocabulary)) for term in counts), np.int32, len(counts)
            )
            self._documents[row] = terms, np.fromiter(counts.values(), np.int32, len(counts))
        self._compiled = None

    def remove(self, rows: Sequence[int]) -> None:
        """Forget rows; unknown ones are ignored."""
        for row in rows:
            self._documents.pop(row, None)
        self._compiled = None

    def search(self, query: str, k: int, allowed: NDArray[np.int64] | None = None) -> list[tuple[int, float]]:
        """The `k` best (row, score), best first; rows that share no term with the query are left out.

        Args:
            query: Terms to look for; a repeated one counts again.
            k: How many.
            allowed: Rows to choose from; None for all.
        """
        from jina_components.core.vectors import top_indices

        if self._compiled is None:
            self._compiled = _Postings(self._documents, len(self._vocabulary), self._k1, self._b)
        rows, scores = self._compiled.rows, self._compiled.score(self._term_counts(query))
        if allowed is not None:
            scores = np.where(np.isin(rows, allowed), scores, 0)
        return [(int(rows[i]), float(scores[i])) for i in top_indices(scores, k) if scores[i] > 0]

    def _term_counts(self, query: str) -> dict[int, int]:
        known = ((self._vocabulary.get(term), count) for term, count in Counter(words(query)).items())
        return {term: count for term, count in known if term is not None}

    def to_arrays(self) -> dict[str, NDArray[np.int32]]:
        """Everything but the vocabulary, as flat arrays (row numbers, lengths, term ids, counts)."""
        documents = list(self._documents.values())
        empty = np.zeros(0, np.int32)
        return {
            "rows": np.fromiter(self._documents, np.int32, len(documents)),
            "lengths": np.fromiter((len(terms) for terms, _ in documents), np.int32, len(documents)),
            "terms": np.concatenate([empty, *(terms for terms, _ in documents)]),
            "counts": np.concatenate([empty, *(counts for _, counts in documents)]),
        }

    @property
    def vocabulary(self) -> list[str]:
        """Terms by id."""
        return list(self._vocabulary)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.int32]], vocabulary: Sequence[str]) -> BM25Index:
        """The inverse of `to_arrays`.

        Raises:
            ValueError: the arrays contradict each other.
        """
        index = cls()
        index._vocabulary = {term: number for number, term in enumerate(vocabulary)}
        terms, counts, lengths = arrays["terms"], arrays["counts"], arrays["lengths"]
        if not (int(lengths.sum()) == len(terms) == len(counts)) or (len(terms) and terms.max() >= len(vocabulary)):
            raise ValueError("the postings and the vocabulary do not belong together")
        ends = np.cumsum(lengths)
        index._documents = {
            int(row): (terms[end - length : end], counts[end - length : end])
            for row, end, length in zip(arrays["rows"], ends, lengths, strict=True)
        }
        return index


class _Postings:
    """The documents turned round: for each term the positions that hold it, and what it adds to their score."""

    def __init__(
        self,
        documents: Mapping[int, tuple[NDArray[np.int32], NDArray[np.int32]]],
        num_terms: int,
        k1: float,
        b: float,
    ) -> None:
        self.rows = np.fromiter(documents, np.int64, len(documents))
        empty = np.zeros(0, np.int32)
        terms = np.concatenate([empty, *(terms for terms, _ in documents.values())])
        counts = np.concatenate([empty, *(counts for _, counts in documents.values())]).astype(np.float32)
        sizes = np.fromiter((len(terms) for terms, _ in documents.values()), np.int64, len(documents))
        positions = np.repeat(np.arange(len(documents), dtype=np.int32), sizes)
        lengths = np.bincount(positions, counts, minlength=len(documents))
        norms = k1 * (1 - b + b * lengths / max(float(lengths.mean()) if len(lengths) else 0.0, 1e-9))
        frequencies = np.bincount(terms, minlength=num_terms)
        idf = np.log1p((len(documents) - frequencies + 0.5) / (frequencies + 0.5))
        order = np.argsort(terms, kind="stable")
        self._positions = positions[order]
        self._impacts = (idf[terms] * counts * (k1 + 1) / (counts + norms[positions]))[order].astype(np.float32)
        self._starts = np.concatenate([[0], np.cumsum(frequencies)])

    def score(self, term_counts: Mapping[int, int]) -> FloatArray:
        scores = np.zeros(len(self.rows), np.float32)
        for term, count in term_counts.items():
            postings = slice(self._starts[term], self._starts[term + 1])
            scores[self._positions[postings]] += count * self._impacts[postings]
        return scores
