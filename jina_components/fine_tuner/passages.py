"""Passages: documents cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.core.overlap import terms
from jina_components.errors import MissingDependencyError
from jina_components.fine_tuner.questions import code_language, language_of
from jina_components.fine_tuner.triplets import Passage
from jina_components.segmenter import Segmenter

if TYPE_CHECKING:
    from jina_components.types import Document


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
