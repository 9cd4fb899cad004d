"""Sources read, and what is cut from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from jina_components.errors import JinaComponentsError
from jina_components.types.texts import Usage, shorten


class TokenPiece(NamedTuple):
    """The shortest run of tokens that ends with a whole character, as a streaming decoder would show it.

    Attributes:
        text: What they stand for.
        ids: Their ids in the vocabulary.
    """

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text: `text[start:end] == chunk.text`, offsets in code points.

    Attributes:
        text: The piece.
        start, end: Where it stands.
        num_tokens: Tokens of the piece alone.
        heading: The headings it stands under, those it begins with included: `Install > Linux`; or empty.
    """

    text: str
    start: int
    end: int
    num_tokens: int
    heading: str = ""

    def __repr__(self) -> str:
        return f"Chunk([{self.start}:{self.end}], {shorten(self.text)!r})"


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Chunks of a text in order; without overlap their texts joined are the text.

    Attributes:
        chunks: The chunks.
        num_tokens: Tokens of the whole text.
        tokenizer: Name of the tokenizer that counted.
        text: The text.
    """

    chunks: tuple[Chunk, ...]
    num_tokens: int
    tokenizer: str
    text: str

    @property
    def utf16_offsets(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each chunk in UTF-16 code units, as JavaScript, Java and .NET count them."""
        places = sorted({place for chunk in self.chunks for place in (chunk.start, chunk.end)})
        units = {0: 0}
        for before, place in pairwise([0, *places]):
            units[place] = units[before] + len(self.text[before:place].encode("utf-16-le", "surrogatepass")) // 2
        return tuple((units[chunk.start], units[chunk.end]) for chunk in self.chunks)

    def __repr__(self) -> str:
        return f"Segmentation({len(self.chunks)} chunks, {self.num_tokens} tokens, tokenizer={self.tokenizer!r})"


@dataclass(frozen=True, slots=True)
class Page:
    """A source read.

    Attributes:
        url: Where it came from: the final URL, or the path as given.
        title: The title, or the name of the file.
        content: The main content as Markdown, or in the format that was asked for.
        description: The source's own summary of itself, or empty.
        published_time: ISO 8601 date the source claims, or empty.
        language: BCP 47 tag the source claims, or empty.
        links: (text, absolute URL) of the main content, in order.
        images: (alternative text, absolute URL) likewise.
        metadata: Further facts of the format (author, encoding, number of pages …), JSON values.
        external: Other resources the page names in its head (canonical URL, feeds, translations, icons):
            by relation, absolute URL and attribute.
        chunks: The content in pieces, where chunking was asked for.
        screenshot: PNG, where one was asked for.
        extracted: What a language model was asked to extract, as JSON values.
        page_offsets: For paged sources, the offset in `content` at which each page begins; else empty.
        usage: Tokens of the content, as completion tokens, and what language models took for it.
        warnings: What a reader of the content should know: guessed encoding, pages without text …
    """

    url: str
    title: str
    content: str
    description: str = ""
    published_time: str = ""
    language: str = ""
    links: tuple[tuple[str, str], ...] = ()
    images: tuple[tuple[str, str], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    external: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict, hash=False)
    chunks: tuple[str, ...] = ()
    screenshot: bytes = b""
    extracted: Any = field(default=None, hash=False)
    page_offsets: tuple[int, ...] = ()
    usage: Usage = Usage()
    warnings: tuple[str, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Number (from 1) of the page that holds `offset` of the content; None for unpaged sources."""
        from bisect import bisect_right

        return max(bisect_right(self.page_offsets, offset), 1) if self.page_offsets else None

    def _repr_markdown_(self) -> str:
        return f"# {self.title}\n\n{self.content}" if self.title else self.content

    def __repr__(self) -> str:
        return f"Page({self.url!r}, title={self.title!r}, {len(self.content)} characters)"


@dataclass(frozen=True, slots=True)
class SourceFailure:
    """A source that could not be read, and why."""

    source: str
    error: JinaComponentsError


@dataclass(frozen=True, slots=True)
class Reading:
    """Many sources read: the pages in order, and the sources that failed."""

    pages: tuple[Page, ...]
    failures: tuple[SourceFailure, ...] = ()
