"""Segmenter: texts into chunks."""

from __future__ import annotations

import os
import threading
from itertools import pairwise
from typing import Literal, get_args

from jina_components.core.component import Component
from jina_components.errors import ConfigError, InputError
from jina_components.models.token_spans import BUNDLED, Tokenizer, resolve_tokenizer
from jina_components.segmenter.cutting import Cutter
from jina_components.segmenter.rulers import CharacterRuler, TokenRuler
from jina_components.segmenter.structure import heading_trails
from jina_components.types import Chunk, Document, Page, Segmentation

LengthUnit = Literal["characters", "tokens"]


class Segmenter(Component):
    """Cuts texts into chunks at the best places within a limit.

    It knows the structure of Markdown and plain text, and the sentences of most scripts. From each
    beginning it takes the place that is best by its kind (heading, block, list item, sentence, line, clause,
    word) and by how full it leaves the chunk. A heading stays with what follows; a code block, table or
    formula that fits into a chunk is not cut. The limit always holds. Linear time.

    Thread-safe. Nothing is loaded before the first call or `load()`. Pickles as its settings.

    Args:
        max_chunk_length: Longest chunk, in units of `length_unit`.
        length_unit: `characters` (code points) or `tokens`.
        overlap: The most that a chunk repeats of the one before, in the same unit; it begins at a block,
            sentence or word.
        tokenizer: `bundled`, that of `static-minilm-v1`, or the path of a `tokenizer.json`. Special tokens
            are not counted.

    Raises:
        ConfigError: a length out of range, or an unknown unit.
        UnknownNameError: no tokenizer of this name.

    Example:
        >>> segmenter = Segmenter(max_chunk_length=24)
        >>> [chunk.text for chunk in segmenter.segment("It rains. We stay inside.").chunks]
        ['It rains. ', 'We stay inside.']
    """

    def __init__(
        self,
        *,
        max_chunk_length: int = 1000,
        length_unit: LengthUnit = "characters",
        overlap: int = 0,
        tokenizer: str | os.PathLike[str] = BUNDLED,
    ) -> None:
        if max_chunk_length < 1:
            raise ConfigError(f"max_chunk_length must be positive, got {max_chunk_length}.")
        if not 0 <= overlap < max_chunk_length:
            raise ConfigError(f"overlap must be 0 or more and below {max_chunk_length}, the chunk; got {overlap}.")
        if length_unit not in get_args(LengthUnit):
            raise ConfigError(f"length_unit must be 'characters' or 'tokens', got {length_unit!r}.")
        resolve_tokenizer(tokenizer)
        self._limit = max_chunk_length
        self._unit = length_unit
        self._overlap = overlap
        self._tokenizer_name = tokenizer
        self._tokenizer: Tokenizer | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Segmenter(max_chunk_length={self._limit}, length_unit={self._unit!r}, overlap={self._overlap})"

    def load(self) -> Tokenizer:
        """The tokenizer, loaded now if it was not.

        Raises:
            ModelFilesError: its file is missing or broken.
        """
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = Tokenizer(self._tokenizer_name)
            return self._tokenizer

    def close(self) -> None:
        """Give the tokenizer's memory back; the next call loads it again."""
        with self._lock:
            self._tokenizer = None

    def segment(self, text: str) -> Segmentation:
        """Chunks of a text; without overlap their texts joined are the text. An empty text has none.

        White space stays with the chunk before it. `num_tokens` of a chunk counts its text alone.

        Raises:
            InputError: not a string, or one character has more tokens than a chunk may have.
            ModelFilesError: the tokenizer's file is missing or broken.
        """
        return self._segment(text, ())

    def segment_page(self, page: Page) -> list[Document]:
        """Chunks of a page as documents, ready to be indexed; chunks of white space are left out.

        No chunk spans two pages of a paged source. Metadata: `source` and `title` of the page; `start` and
        `end` in `page.content`; `page`, its number from 1, for paged sources; `heading`, the Markdown
        headings that the chunk stands under (`Install > Linux`), those it begins with included.

        Raises:
            InputError, ModelFilesError: as `segment`.
        """
        chunks = [c for c in self._segment(page.content, page.page_offsets).chunks if not c.text.isspace()]
        bodies = [chunk.end - len(chunk.text.lstrip()) for chunk in chunks]
        return [
            Document(chunk.text, metadata=_metadata(page, chunk, trail))
            for chunk, trail in zip(chunks, heading_trails(page.content, bodies), strict=True)
        ]

    def count(self, text: str) -> int:
        """Tokens of a text.

        Raises:
            InputError: not a string.
            ModelFilesError: the tokenizer's file is missing or broken.
        """
        return self.load().count(_checked(text))

    def _segment(self, text: str, breaks: tuple[int, ...]) -> Segmentation:
        tokenizer = self.load()
        tokens = TokenRuler(_checked(text), tokenizer)
        ruler = tokens if self._unit == "tokens" else CharacterRuler(text)
        cutter = Cutter(text, ruler, limit=self._limit, overlap=self._overlap)
        edges = sorted({0, len(text), *(offset for offset in breaks if 0 < offset < len(text))})
        chunks = tuple(
            Chunk(text[start:end], start, end, tokens.size_alone(start, end))
            for stretch in pairwise(edges)
            for start, end in cutter.cuts(*stretch)
        )
        return Segmentation(chunks, tokens.total, tokenizer.name, text)


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"text must be str, got {type(text).__name__}.")
    return text


def _metadata(page: Page, chunk: Chunk, trail: str) -> dict[str, object]:
    number = page.page_at(chunk.start)
    return (
        {"source": page.url, "title": page.title, "start": chunk.start, "end": chunk.end}
        | ({"page": number} if number else {})
        | ({"heading": trail} if trail else {})
    )
