"""Segmenter: texts into chunks, and their tokens."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, get_args

from jina_components.core.component import Component
from jina_components.errors import ConfigError, InputError
from jina_components.models.tokenizers import BUNDLED, Tokenizer, resolve_tokenizer
from jina_components.protocols import SupportsEmbed
from jina_components.segmenter.code import code_blocks, with_code_blocks
from jina_components.segmenter.cutting import Cutter
from jina_components.segmenter.facts import facts
from jina_components.segmenter.languages import MARKDOWN, load_parser, resolve_language
from jina_components.segmenter.pieces import piece_starts
from jina_components.segmenter.rulers import CharacterRuler, Ruler, TokenRuler
from jina_components.segmenter.semantic import topic_changes
from jina_components.segmenter.structure import Block, blocks
from jina_components.segmenter.trails import Trails
from jina_components.types import Chunk, Document, Page, Segmentation, TokenPiece

LengthUnit = Literal["characters", "tokens"]


class Segmenter(Component):
    """Cuts texts into chunks at the best places within a limit, and counts and shows their tokens.

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
        min_chunk_length: Shortest chunk, in the same unit, where the text and the limit allow for it.
        tokenizer: `bundled`, that of `static-minilm-v1`; `cl100k_base`, `o200k_base`, `p50k_base`, `p50k_edit`,
            `r50k_base` or `gpt2`; the path of a `tokenizer.json`; or a `Tokenizer` that is loaded, which segmenters may
            share. Special tokens are not counted.
        pack: False makes a chunk of every piece, as the hosted Segmenter does: line, sentence of a line over 800
            characters, list item with up to 6 nested ones, quote, table, block of code or mathematics. White space
            that the text begins with is then in no chunk, and other white space with the chunk before it.
        language: What the text is written in, where it is source code: `python`, `javascript`, `rust` … It is then
            cut by its syntax tree, a function or class that fits is not cut, and `Chunk.heading` is the scope
            (`class A > def f`). `markdown` cuts fenced code of these languages by its syntax too, where it is too
            long for a chunk. Needs the extra `code`.
        embedder: Adds worth to places where the topic changes, as told by the vectors of the sentences around;
            each sentence is embedded once, the first 400 characters of it. It pays where paragraphs do not tell
            the topics: transcripts, scans, running text.

    Raises:
        ConfigError: a length out of range, an unknown unit, or settings that exclude each other.
        UnknownNameError: no tokenizer or language of this name.

    Example:
        >>> segmenter = Segmenter(max_chunk_length=24)
        >>> [chunk.text for chunk in segmenter.segment("It rains. We stay inside.").chunks]
        ['It rains. ', 'We stay inside.']

        For late chunking, cut without overlap and leave out chunks of white space, which say nothing:

        >>> chunks = segmenter.segment("It rains. We stay inside.").chunks
        >>> texts = [chunk.text for chunk in chunks if not chunk.text.isspace()]
        >>> vectors = Embedder("jina-embeddings-v3").embed(texts, late_chunking=True).vectors  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        max_chunk_length: int = 1000,
        length_unit: LengthUnit = "characters",
        overlap: int = 0,
        min_chunk_length: int = 0,
        tokenizer: str | os.PathLike[str] | Tokenizer = BUNDLED,
        pack: bool = True,
        language: str | None = None,
        embedder: SupportsEmbed | None = None,
    ) -> None:
        _check_lengths(max_chunk_length, overlap, min_chunk_length)
        if length_unit not in get_args(LengthUnit):
            raise ConfigError(f"length_unit must be 'characters' or 'tokens', got {length_unit!r}.")
        if embedder is not None and not isinstance(embedder, SupportsEmbed):
            raise ConfigError(f"embedder must have embed_documents(), got {type(embedder).__name__}.")
        if not isinstance(tokenizer, Tokenizer):
            resolve_tokenizer(tokenizer)
        self._limit = max_chunk_length
        self._unit = length_unit
        self._overlap = overlap
        self._min_size = min_chunk_length
        self._given_tokenizer = tokenizer
        self._pack = pack
        self._language = None if language is None else resolve_language(language)
        self._embedder = embedder
        _check_combination(
            pack,
            {"overlap": overlap, "min_chunk_length": min_chunk_length, "language": language, "embedder": embedder},
        )
        if embedder is not None and self._language not in (None, MARKDOWN):
            raise ConfigError(f"embedder is for prose, language={language!r} cuts by syntax: pass one of them.")
        self._tokenizer: Tokenizer | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Segmenter(max_chunk_length={self._limit}, length_unit={self._unit!r}, overlap={self._overlap})"

    def load(self) -> Tokenizer:
        """The tokenizer, loaded now if it was not.

        Raises:
            ModelFilesError: its file is missing or broken.
            MissingDependencyError: the tokenizer's package, or that of the language, is not installed.
        """
        if self._language is not None:
            load_parser(self._language)
        with self._lock:
            if self._tokenizer is None:
                given = self._given_tokenizer
                self._tokenizer = given if isinstance(given, Tokenizer) else Tokenizer(given)
            return self._tokenizer

    def close(self) -> None:
        """Give the tokenizer's memory back; the next call loads it again."""
        with self._lock:
            self._tokenizer = None

    def segment(self, text: str) -> Segmentation:
        """Chunks of a text; without overlap their texts joined are the text. An empty text has none.

        White space stays with the chunk before it while there is room. `num_tokens` of a chunk counts its text alone.

        Raises:
            InputError: not a string, or one character has more tokens than a chunk may have.
            ModelFilesError, MissingDependencyError: as `load`.
        """
        return self._segment(text, ())

    async def asegment(self, text: str) -> Segmentation:
        """`segment` in a thread of its own."""
        return await asyncio.to_thread(self.segment, text)

    def segment_page(self, page: Page) -> list[Document]:
        """Chunks of a page as documents, ready to be indexed; chunks of white space are left out.

        No chunk spans two pages of a paged source. Metadata: `source` and `title` of the page; `start` and
        `end` in `page.content`; `page`, its number from 1, for paged sources; `heading`, the Markdown
        headings that the chunk stands under (`Install > Linux`), those it begins with included; `language`
        and `published_time` where the page claims them; and the facts of `page.metadata` and of its front
        matter that can be filtered by: numbers, booleans, texts of up to 200 characters, and lists of up to 20
        of them. None of these takes the place of another; how the page was decoded is left out.

        Raises:
            InputError, ModelFilesError, MissingDependencyError: as `segment`.
        """
        shared = facts(page)
        chunks = [c for c in self._segment(page.content, page.page_offsets).chunks if not c.text.isspace()]
        return [Document(chunk.text, metadata={**shared, **_place(page, chunk)}) for chunk in chunks]

    def count(self, text: str) -> int:
        """Tokens of a text.

        Raises:
            InputError: not a string.
            ModelFilesError, MissingDependencyError: as `load`.
        """
        return self.load().count(_checked(text))

    def tokenize(self, text: str) -> tuple[TokenPiece, ...]:
        """The tokens as a streaming decoder would show them; the texts joined are the text, but for one without tokens.

        Raises:
            InputError, ModelFilesError, MissingDependencyError: as `count`.
        """
        return tuple(self.load().tokenize(_checked(text)))

    def head(self, text: str, tokens: int) -> str:
        """The beginning of a text that its first `tokens` tokens cover, without a last character they only begin.

        Raises:
            InputError: `tokens` is no integer or negative; or as `count`.
            ModelFilesError, MissingDependencyError: as `load`.
        """
        return self.load().head(_checked(text), _checked_number(tokens))

    def tail(self, text: str, tokens: int) -> str:
        """The end of a text that its last `tokens` tokens cover, without a first character they only end.

        Raises:
            InputError: `tokens` is no integer or negative; or as `count`.
            ModelFilesError, MissingDependencyError: as `load`.
        """
        return self.load().tail(_checked(text), _checked_number(tokens))

    def special_tokens(self, text: str) -> tuple[str, ...]:
        """Special tokens of the vocabulary whose text stands in `text`, where they are counted as any text.

        Raises:
            InputError, ModelFilesError, MissingDependencyError: as `count`.
        """
        return tuple(self.load().special_tokens(_checked(text)))

    def _segment(self, text: str, breaks: Sequence[int]) -> Segmentation:
        tokenizer = self.load()
        tokens = TokenRuler(_checked(text), tokenizer)
        ruler = tokens if self._unit == "tokens" else CharacterRuler(text)
        trails = Trails(self._structure(text, ruler))
        cutter = Cutter(
            text,
            ruler,
            limit=self._limit,
            overlap=self._overlap,
            min_size=self._min_size,
            structure=trails,
            extra=topic_changes(text, self._embedder) if self._embedder else None,
        )
        spans = [span for stretch in pairwise(self._edges(text, breaks)) for span in cutter.cuts(*stretch)]
        places = (end - len(text[start:end].lstrip()) for start, end in spans)
        chunks = tuple(
            Chunk(text[start:end], start, end, tokens.size_alone(start, end), heading)
            for (start, end), heading in zip(spans, trails.at(places), strict=True)
        )
        return Segmentation(chunks, tokens.total, tokenizer.name, text)

    def _edges(self, text: str, breaks: Sequence[int]) -> list[int]:
        """Where a chunk has to begin, and the end."""
        starts = [0] if self._pack else list(piece_starts(text))
        if not starts or not text:
            return []
        return sorted({*starts, *(offset for offset in breaks if starts[0] < offset < len(text)), len(text)})

    def _structure(self, text: str, ruler: Ruler) -> Iterable[Block]:
        def fits(start: int, end: int) -> bool:
            return ruler.size(start, end) <= self._limit

        if self._language is None:
            return blocks(text)
        if self._language == MARKDOWN:
            return with_code_blocks(text, blocks(text), fits)
        return code_blocks(text, self._language, fits)


def _check_lengths(limit: int, overlap: int, min_size: int) -> None:
    for name, value in {"max_chunk_length": limit, "overlap": overlap, "min_chunk_length": min_size}.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"{name} must be an integer, got {value!r}.")
    if limit < 1:
        raise ConfigError(f"max_chunk_length must be positive, got {limit}.")
    if not 0 <= overlap < limit:
        raise ConfigError(f"overlap must be 0 or more and below {limit}, the chunk; got {overlap}.")
    if not 0 <= min_size <= limit:
        raise ConfigError(f"min_chunk_length must be from 0 to {limit}, the chunk; got {min_size}.")


def _check_combination(pack: bool, others: Mapping[str, object]) -> None:
    given = [name for name, value in others.items() if value]
    if not pack and given:
        raise ConfigError(f"pack=False makes every piece a chunk of its own: leave out {' and '.join(given)}.")


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"text must be str, got {type(text).__name__}.")
    return text


def _checked_number(tokens: int) -> int:
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
        raise InputError(f"tokens must be an integer of 0 or more, got {tokens!r}.")
    return tokens


def _place(page: Page, chunk: Chunk) -> dict[str, object]:
    number = page.page_at(chunk.start)
    return (
        {"source": page.url, "title": page.title, "start": chunk.start, "end": chunk.end}
        | ({"page": number} if number else {})
        | ({"heading": chunk.heading} if chunk.heading else {})
    )
