"""What components take and return: frozen dataclasses, equal over code, frameworks and the wire."""

from __future__ import annotations

import hashlib
import html
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from jina_components.errors import InputError, JinaComponentsError

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a call cost, counted by the model's own tokenizer, special tokens included."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens)


@dataclass(frozen=True, slots=True)
class Document:
    """A text with an id and metadata.

    Attributes:
        text: The text.
        id: Stable id. When empty it is derived from text and metadata, so the same document
            has the same id in every process.
        metadata: JSON values by name. Chunks of a source carry `source`, `title`, `start`, `end`
            (code points in the source's text) and, for paged sources, `page`.

    Raises:
        InputError: the text is not a string or the metadata is not JSON.
    """

    text: str
    id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not isinstance(self.id, str):
            raise InputError(
                f"Document text and id must be str, got {type(self.text).__name__} and {type(self.id).__name__}."
            )
        try:
            canonical = json.dumps(dict(self.metadata), sort_keys=True, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"Document metadata must hold JSON values by name: {error}.") from error
        if not all(isinstance(name, str) for name in self.metadata):
            raise InputError(f"Document metadata must have str names, got {list(self.metadata)}.")
        # A copy that shares nothing with the caller's.
        object.__setattr__(self, "metadata", json.loads(canonical))
        if not self.id:
            digest = hashlib.blake2b(digest_size=12)
            for part in (self.text, canonical):
                digest.update(part.encode("utf-8", "surrogatepass"))
                digest.update(b"\0")
            object.__setattr__(self, "id", digest.hexdigest())

    def __repr__(self) -> str:
        return f"Document({_shown(self)}, id={self.id!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Image:
    """An image to embed.

    Attributes:
        source: The bytes of a file, a PIL image, a path; or a str: an http(s) URL, a `data:` URI, else a file's path.

    Raises:
        InputError: it is none of these, or empty.
    """

    source: str | os.PathLike[str] | bytes | PIL.Image.Image

    def __post_init__(self) -> None:
        pil = getattr(sys.modules.get("PIL.Image"), "Image", str)  # not imported: there is no PIL image
        if not isinstance(self.source, str | bytes | os.PathLike | pil) or self.source in ("", b""):
            raise InputError(f"Image takes a URL, a path, bytes or a PIL image, got {shorten(repr(self.source))}.")

    def __repr__(self) -> str:
        if isinstance(self.source, str | os.PathLike):
            return f"Image({shorten(str(self.source))!r})"
        if isinstance(self.source, bytes):
            return f"Image({len(self.source):,} bytes)"
        width, height = self.source.size
        return f"Image({self.source.mode}, {width:,} x {height:,} pixels)"


@dataclass(frozen=True, slots=True)
class ScoredDocument:
    """A document with its score for a query.

    Attributes:
        document: The document.
        score: Higher is better; the scale is that of the component that made it.
        index: Position in the list that was ranked, or None when it came from an index.
    """

    document: Document
    score: float
    index: int | None = None

    def __repr__(self) -> str:
        return f"ScoredDocument({self.score:.4f}, {_shown(self.document)})"


@dataclass(frozen=True, slots=True)
class DocumentFailure:
    """A document that could not be ranked, and why.

    Attributes:
        index: Position in the list that was ranked.
        error: What is wrong with it.
    """

    index: int
    error: JinaComponentsError


@dataclass(frozen=True, slots=True, repr=False)
class Ranking(Sequence[ScoredDocument]):
    """Documents ranked for a query, best first; behaves as a sequence of them.

    Attributes:
        results: The documents.
        usage: Tokens that ranking them cost.
        failures: Documents that are not among the results because they could not be ranked, by index.
    """

    results: tuple[ScoredDocument, ...] = ()
    usage: Usage = Usage()
    failures: tuple[DocumentFailure, ...] = ()

    @overload
    def __getitem__(self, index: int) -> ScoredDocument: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ScoredDocument, ...]: ...
    def __getitem__(self, index: int | slice) -> ScoredDocument | tuple[ScoredDocument, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[ScoredDocument]:
        return iter(self.results)

    def __repr__(self) -> str:
        failures = f", failures={list(self.failures)!r}" if self.failures else ""
        return f"Ranking({list(self.results)!r}{failures})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{rank}</td><td>{hit.score:.4f}</td>"
            f"<td>{html.escape(str(hit.document.metadata.get('source', hit.document.id)))}</td>"
            "<td style='text-align:left'>"
            f"{html.escape(shorten(hit.document.text or str(hit.document.metadata), 200))}</td></tr>"
            for rank, hit in enumerate(self.results, 1)
        )
        failures = "".join(f"<li>{f.index}: {html.escape(str(f.error))}</li>" for f in self.failures)
        table = f"<table><tr><th>#</th><th>score</th><th>source</th><th>text</th></tr>{rows}</table>"
        return table + (f"<p>Not ranked:</p><ul>{failures}</ul>" if failures else "")


@dataclass(frozen=True, slots=True)
class Entailment:
    """What a premise says of a hypothesis: three probabilities that sum to 1.

    Attributes:
        entailment: The premise shows the hypothesis to be true.
        neutral: It leaves it open.
        contradiction: It shows it to be false.
    """

    entailment: float
    neutral: float
    contradiction: float

    @property
    def label(self) -> Literal["entailment", "neutral", "contradiction"]:
        """The most probable; where several are equal, neutral or else entailment."""
        ordered: tuple[Literal["neutral", "entailment", "contradiction"], ...] = (
            "neutral", "entailment", "contradiction",
        )  # fmt: skip
        return max(ordered, key=lambda name: getattr(self, name))

    def __repr__(self) -> str:
        return (
            f"Entailment(entailment={self.entailment:.3f}, neutral={self.neutral:.3f}, "
            f"contradiction={self.contradiction:.3f})"
        )


@dataclass(frozen=True, slots=True, repr=False)
class Entailments(Sequence[Entailment]):
    """One for each pair of texts, in their order; behaves as a sequence of them.

    Attributes:
        results: What each premise says of its hypothesis.
        usage: Tokens that scoring them cost.
    """

    results: tuple[Entailment, ...] = ()
    usage: Usage = Usage()

    @overload
    def __getitem__(self, index: int) -> Entailment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Entailment, ...]: ...
    def __getitem__(self, index: int | slice) -> Entailment | tuple[Entailment, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Entailment]:
        return iter(self.results)

    def __repr__(self) -> str:
        return f"Entailments({list(self.results)!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Vectors of a batch.

    Attributes:
        vectors: float32, shape [number of texts, dimensions], in the order of the input.
        usage: Tokens embedded.
    """

    vectors: FloatArray
    usage: Usage = Usage()

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        return f"Embeddings(shape={self.vectors.shape}, {self.usage!r})"


@dataclass(frozen=True, slots=True, eq=False)
class MultiVectorEmbeddings:
    """Vectors of the tokens of a batch.

    Attributes:
        vectors: Of each text, in the order of the input: float32 rows of unit length, shape [its tokens, dimensions].
        usage: Tokens that ran.
    """

    vectors: tuple[FloatArray, ...]
    usage: Usage = Usage()

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        rows = sum(map(len, self.vectors))
        width = f" of {self.vectors[0].shape[1]} dimensions" if self.vectors else ""
        return f"MultiVectorEmbeddings({len(self)} texts, {rows} vectors{width}, {self.usage!r})"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text: `text[start:end] == chunk.text`, offsets in code points."""

    text: str
    start: int
    end: int
    num_tokens: int

    def __repr__(self) -> str:
        return f"Chunk([{self.start}:{self.end}], {shorten(self.text)!r})"


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Chunks of a text in order; without overlap their texts joined are the text.

    Attributes:
        chunks: The chunks.
        num_tokens: Tokens of the whole text.
        tokenizer: Name of the tokenizer that counted.
    """

    chunks: tuple[Chunk, ...]
    num_tokens: int
    tokenizer: str

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


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One hit of a web search.

    Attributes:
        url: The page; of images found without one, the image.
        title: Its title, as the search engine has it.
        description: A snippet of it, or its summary.
        published_time: Its date, as the search engine tells it: ISO 8601, or in words ("3 days ago"); or empty.
        source: Who publishes it, or empty.
        image_url: Of images, the image; else a picture of the page; or empty.
        image_width, image_height: In pixels, where known.
        favicon: URL of the site's icon, or empty.
        site_links: (title, URL) of further pages of the site that the search engine lists under the hit.
        providers: Names of the search providers that found it.
        page: The page, when it has been read.
        error: Why the page could not be read, when that was tried.
    """

    url: str
    title: str = ""
    description: str = ""
    published_time: str = ""
    source: str = ""
    image_url: str = ""
    image_width: int | None = None
    image_height: int | None = None
    favicon: str = ""
    site_links: tuple[tuple[str, str], ...] = ()
    providers: tuple[str, ...] = ()
    page: Page | None = None
    error: JinaComponentsError | None = field(default=None, compare=False)

    @property
    def content(self) -> str:
        """The page's content; empty when it was not read."""
        return self.page.content if self.page else ""

    def __repr__(self) -> str:
        read = f", {len(self.content)} characters read" if self.page else ""
        return f"SearchResult({self.url!r}, {shorten(self.title)!r}{read})"


@dataclass(frozen=True, slots=True, repr=False)
class SearchResults(Sequence[SearchResult]):
    """The hits of a query, best first; behaves as a sequence of them.

    Attributes:
        query: What was sought.
        results: The hits.
        usage: Tokens of the pages read.
        warnings: What a reader of the hits should know: providers that failed, and why; options they ignored …
    """

    query: str
    results: tuple[SearchResult, ...] = ()
    usage: Usage = Usage()
    warnings: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> SearchResult: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[SearchResult, ...]: ...
    def __getitem__(self, index: int | slice) -> SearchResult | tuple[SearchResult, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[SearchResult]:
        return iter(self.results)

    def __repr__(self) -> str:
        warnings = f", warnings={list(self.warnings)!r}" if self.warnings else ""
        return f"SearchResults({self.query!r}, {list(self.results)!r}{warnings})"

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li><b>{html.escape(hit.title)}</b> <small>{html.escape(hit.url)}</small><br>"
            f"{html.escape(shorten(hit.description or hit.content, 200))}"
            f"{f'<br><i>{html.escape(str(hit.error))}</i>' if hit.error else ''}</li>"
            for hit in self.results
        )
        warnings = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        return f"<ol>{items}</ol>" + (f"<ul>{warnings}</ul>" if warnings else "")


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim quote and where it stands.

    Attributes:
        quote: The exact words.
        source: URL or path of the source, or the document's id when it has none.
        start: Offset of the quote in the source's text (`Page.content`, or `Document.text`).
        end: Its end: `source_text[start:end] == quote`.
        document_id: Id of the retrieved document that holds it.
        title: Title of the source, or empty.
        page: Page number from 1, for paged sources.
    """

    quote: str
    source: str
    start: int
    end: int
    document_id: str
    title: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and its evidence.

    Attributes:
        question: The question.
        text: The answer; `[n]` refers to `citations[n - 1]`.
        answered: False when the documents do not answer; then `text` says so and nothing is cited.
        citations: Verified quotes.
        usage: Tokens spent by the reranker and the chat model.
    """

    question: str
    text: str
    answered: bool
    citations: tuple[Citation, ...] = ()
    usage: Usage = Usage()

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li>“{html.escape(c.quote)}” <small>{html.escape(c.title or c.source)}"
            f"{f', page {c.page}' if c.page else ''}</small></li>"
            for c in self.citations
        )
        return f"<p>{html.escape(self.text)}</p><ol>{items}</ol>"


def _shown(document: Document) -> str:
    """The text, and of a document without one the metadata."""
    metadata = "" if document.text.strip() or not document.metadata else f", metadata={document.metadata!r}"
    return f"{shorten(document.text)!r}{shorten(metadata, 200)}"


def shorten(text: str, width: int = 60) -> str:
    """`text` on one line, cut to `width` characters with an ellipsis."""
    line = " ".join(text[: width * 4].split())
    return line if len(line) <= width else line[: width - 1] + "…"
