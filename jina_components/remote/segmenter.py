"""RemoteSegmenter: texts into chunks, as a server cuts them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jina_components.core.background import run_sync
from jina_components.core.inputs import check_unicode
from jina_components.errors import ConfigError, InputError
from jina_components.remote.address import Remote
from jina_components.remote.component import RemoteComponent
from jina_components.remote.fields import Fields
from jina_components.types import Chunk, Document, Page, Segmentation

MAX_CHARACTERS = 63_999
"""Characters of the longest text that a server takes in one request."""

_PATH = "segment"


class RemoteSegmenter(RemoteComponent):
    """Cuts texts as `Segmenter(pack=False)` does, on a server: Jina's Segmenter, or one of `jina-components serve`.

    White space that a text begins with is in no chunk.

    Longer texts than the 63,999 characters that servers take go in several requests, cut at the end of a paragraph, a
    line or a word: no chunk spans two of them, and `num_tokens` of the whole is their sum.

    Args:
        remote: The server.
        max_chunk_length: Longest chunk, in characters (code points).
        tokenizer: `cl100k_base`, `o200k_base`, `p50k_base`, `p50k_edit`, `r50k_base` or `gpt2`.

    Raises:
        ConfigError: a length that is not positive.

    Example:
        >>> segmenter = RemoteSegmenter(Remote("http://localhost:8000"))
        >>> segmenter.segment("It rains. We stay inside.").num_tokens  # doctest: +SKIP
        7
    """

    product = "models"

    def __init__(self, remote: Remote, *, max_chunk_length: int = 1000, tokenizer: str = "cl100k_base") -> None:
        super().__init__(remote)
        if not isinstance(max_chunk_length, int) or isinstance(max_chunk_length, bool) or max_chunk_length < 1:
            raise ConfigError(f"max_chunk_length must be a positive integer, got {max_chunk_length!r}.")
        if not isinstance(tokenizer, str) or not tokenizer:
            raise ConfigError(f"tokenizer must name a tokenizer, got {tokenizer!r}.")
        self._limit = max_chunk_length
        self._tokenizer = tokenizer

    def segment(self, text: str) -> Segmentation:
        """Chunks of a text with their offsets and tokens. An empty text has none.

        Raises:
            InputError: not a string, no valid Unicode, or the server refuses the length or the tokenizer.
            WebError: the server cannot be reached, or answers out of form.
        """
        return run_sync(self.asegment(text))

    async def asegment(self, text: str) -> Segmentation:
        """Like `segment`, for event loops, which it does not block."""
        chunks: list[Chunk] = []
        total = 0
        for start, part in _parts(_checked(text)):
            asked = {"return_chunks": True, "return_tokens": True, "max_chunk_length": self._limit}
            answer = await self._ask(part, asked)
            chunks += _chunks(answer, part, start)
            total += answer.count("num_tokens")
        return Segmentation(tuple(chunks), total, self._tokenizer, text)

    def segment_page(self, page: Page) -> list[Document]:
        """Chunks of a page as documents, ready to be indexed; chunks of white space are left out.

        Metadata: `source` and `title` of the page; `start` and `end` in `page.content`; `page`, its number from 1, for
        paged sources; `language` and `published_time` where the page claims them. Raises as `segment`.
        """
        return run_sync(self.asegment_page(page))

    async def asegment_page(self, page: Page) -> list[Document]:
        """Like `segment_page`, for event loops, which it does not block."""
        chunks = (await self.asegment(page.content)).chunks
        return [Document(chunk.text, metadata=_place(page, chunk)) for chunk in chunks if not chunk.text.isspace()]

    def count(self, text: str) -> int:
        """Tokens of a text. Raises as `segment`."""
        return run_sync(self.acount(text))

    async def acount(self, text: str) -> int:
        """Like `count`, for event loops, which it does not block."""
        return sum([(await self._ask(part, {})).count("num_tokens") for _, part in _parts(_checked(text))])

    async def _ask(self, text: str, asked: dict[str, Any]) -> Fields:
        body = {"content": text, "tokenizer": self._tokenizer, **asked}
        answer = Fields(await self._post(_PATH, body), f"{self._api.base_url}/{_PATH}")
        answer.number("num_tokens")  # which must be there
        return answer


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"text must be str, got {type(text).__name__}.")
    check_unicode(text, what="text")
    return text


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """The text in parts that servers take, each with its offset."""
    start = 0
    while start < len(text):
        end = start + MAX_CHARACTERS
        if end < len(text):
            ends = (text.rfind(mark, start, end) + len(mark) for mark in ("\n\n", "\n", " "))
            end = next((place for place in ends if place > start + MAX_CHARACTERS // 2), end)
        yield start, text[start:end]
        start = end


def _chunks(answer: Fields, text: str, offset: int) -> list[Chunk]:
    """The chunks of a part, whose places the wire counts in UTF-16 code units."""
    texts, places, tokens = answer.texts("chunks"), answer.items("chunk_positions"), answer.items("tokens")
    if not len(texts) == len(places) == len(tokens):
        raise answer.wrong("chunk_positions", "one for each of the chunks, as tokens")
    chunks: list[Chunk] = []
    place = units = 0  # the same place in both
    for chunk, position, pieces in zip(texts, places, tokens, strict=True):
        first = position[0] if isinstance(position, list) and position else None
        while place < len(text) and isinstance(first, int) and units < first:
            units += 1 + (text[place] > "\uffff")
            place += 1
        if units != first or not text.startswith(chunk, place):
            raise answer.wrong("chunk_positions", "where the chunks stand in the text")
        start = offset + place
        chunks.append(Chunk(chunk, start, start + len(chunk), _count(answer, pieces)))
    return chunks


def _count(answer: Fields, pieces: object) -> int:
    """Tokens of a chunk, from pairs of a text and its ids."""
    try:
        return sum(len(ids) for _, ids in pieces)  # type: ignore[attr-defined, misc]
    except (TypeError, ValueError) as error:
        raise answer.wrong("tokens", "pairs of a text and its ids") from error


def _place(page: Page, chunk: Chunk) -> dict[str, object]:
    found = {
        "source": page.url, "title": page.title, "start": chunk.start, "end": chunk.end,
        "page": page.page_at(chunk.start), "language": page.language, "published_time": page.published_time,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, "") or name in ("source", "title")}
