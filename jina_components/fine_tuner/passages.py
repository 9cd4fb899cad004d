"""Passages: documents cut, told apart from their copies, and divided into splits."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.overlap import terms
from jina_components.errors import MissingDependencyError
from jina_components.fine_tuner.questions import code_language, language_of
from jina_components.fine_tuner.sampling import place
from jina_components.fine_tuner.triplets import Passage, Split
from jina_components.segmenter import Segmenter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import Document

# MinHash (Broder 1997): hashes of a text; those of a band, equal in which texts are compared; and the share of equal
# hashes, which estimates that of common shingles, from which on a text is a copy.
_HASHES, _BAND, _COPY = 64, 4, 0.8
_SHINGLE = 3
_PRIME = (1 << 61) - 1
# Of a text, so many terms tell it.
_MOST_TERMS = 5000


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage, with what its document says around it.

    Attributes:
        passage: The passage.
        title: Of the document.
        headings: That it stands under, from the outermost on.
        number: Its place in the document, from 0.
    """

    passage: Passage
    title: str
    headings: tuple[str, ...]
    number: int


class Cutter:
    """Cuts documents into passages: prose by its structure, source code by its syntax where the grammar is installed.

    Args:
        max_tokens: Of a passage.

    Attributes:
        warnings: What could not be done as it should be.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._segmenters: dict[str, Segmenter] = {}
        self.warnings: list[str] = []

    def pieces(self, document: Document) -> Iterator[Piece]:
        """The passages of a document in order; none of blanks."""
        title = str(document.metadata.get("title") or "")
        above = tuple(filter(None, str(document.metadata.get("heading") or "").split(" > ")))
        language = str(document.metadata.get("language") or "")[:2].lower() or language_of(document.text)
        chunks = self._segmenter(code_language(document.text)).segment(document.text).chunks
        for number, chunk in enumerate(chunk for chunk in chunks if not chunk.text.isspace()):
            passage = Passage(
                id=f"{document.id}#{number}", text=chunk.text.strip(), document=document.id, language=language
            )
            headings = tuple(chunk.heading.split(" > ")) if chunk.heading else ()
            yield Piece(passage, title, above + headings, number)

    def _segmenter(self, language: str) -> Segmenter:
        if language not in self._segmenters:
            made = Segmenter(max_chunk_length=self._max_tokens, length_unit="tokens", language=language or None)
            try:
                made.load()
            except MissingDependencyError as error:
                self.warnings.append(f"{language} code is cut as prose: {error}")
                made = self._segmenter("")
            self._segmenters[language] = made
        return self._segmenters[language]


def has_terms(text: str, count: int) -> bool:
    """Whether a text has so many words at least."""
    return sum(1 for _ in islice(terms(text), count)) == count


def copies(texts: Sequence[str]) -> list[int]:
    """For each text the position of the first that it is a near-copy of, directly or through others, or its own."""
    signatures = np.stack([_signature(text) for text in texts]) if texts else np.empty((0, _HASHES), np.uint64)
    firsts = list(range(len(texts)))

    def first(row: int) -> int:
        while firsts[row] != row:
            firsts[row] = firsts[firsts[row]]
            row = firsts[row]
        return row

    for start in range(0, _HASHES, _BAND):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for row in range(len(texts)):
            buckets[signatures[row, start : start + _BAND].tobytes()].append(row)
        for rows in buckets.values():
            for row in rows[1:]:  # with the first of the bucket: copies of one another share more than one bucket
                one, other = sorted((first(rows[0]), first(row)))
                if one != other and np.mean(signatures[rows[0]] == signatures[row]) >= _COPY:
                    firsts[other] = one
    return [first(row) for row in range(len(texts))]


def _signature(text: str) -> NDArray[np.uint64]:
    words = list(islice(terms(text), _MOST_TERMS))
    shingles = {" ".join(words[at : at + _SHINGLE]) for at in range(max(len(words) - _SHINGLE + 1, 1))}
    hashes = np.fromiter((zlib.crc32(shingle.encode("utf-8", "surrogatepass")) for shingle in shingles), np.uint64)
    return np.asarray(((hashes[:, None] * _FACTORS + _SUMMANDS) >> np.uint64(32)).min(axis=0), np.uint64)


_FACTORS, _SUMMANDS = np.random.default_rng(0).integers(1, _PRIME, (2, _HASHES), np.uint64) | np.uint64(1)


def split_of(document: str, *, dev: float, test: float) -> Split:
    """Where a document belongs, by the hash of its id: the same in every run, whatever other documents there are."""
    at = place(document)
    return "test" if at < test else "dev" if at < test + dev else "train"
