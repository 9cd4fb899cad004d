"""Segmenting on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError, PydanticUseDefault

from jina_components.models.tokenizers import Tokenizer
from jina_components.segmenter import Segmenter
from jina_components.types import TokenPiece

MOST_CHARACTERS = 63_999


def _as_content(content: str) -> str:
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("string_unicode", "Half of a surrogate pair stands alone: it is no text.") from error
    if not 0 < len(content) <= MOST_CHARACTERS:
        told = {"length": len(content)}
        raise PydanticCustomError(
            "string_length", "The length must be above 0 and below 64k (64,000) characters, it is {length}.", told
        )
    return content


def _default_if_null(given: object) -> object:
    if given is None:
        raise PydanticUseDefault
    return given


_NullIsDefault = BeforeValidator(_default_if_null)
_Flag: TypeAlias = Annotated[bool, _NullIsDefault]
_Count: TypeAlias = Annotated[int, Field(ge=1)]


class SegmentRequest(BaseModel):
    """What to segment. Without `return_tokens` and `return_chunks` tokens are counted."""

    content: Annotated[
        str,
        AfterValidator(_as_content),
        Field(json_schema_extra={"minLength": 1, "maxLength": MOST_CHARACTERS}, description="The text."),
    ]
    tokenizer: Annotated[
        Literal["cl100k_base", "o200k_base", "p50k_base", "r50k_base", "p50k_edit", "gpt2"], _NullIsDefault
    ] = "cl100k_base"
    return_tokens: _Flag = False
    return_chunks: _Flag = False
    max_chunk_length: Annotated[_Count, _NullIsDefault] = Field(
        1000, description="The longest chunk, in characters (code points)."
    )
    head: _Count | None = Field(
        None,
        description="Only the first so many tokens: `tokens`, which are then given without being asked for, and "
        "`chunks` are of these; `num_tokens` and `special_tokens` stay those of the whole content.",
    )
    tail: _Count | None = Field(None, description="The same of the last so many tokens; excludes `head`.")

    @field_validator("tail")
    @classmethod
    def _one_end(cls, tail: int | None, info: ValidationInfo) -> int | None:
        if tail is not None and info.data.get("head") is not None:
            raise PydanticCustomError("value_error", "head and tail exclude each other: send one of them.")
        return tail


class SegmentUsage(BaseModel):
    """What segmenting cost: nothing."""

    tokens: int


class SegmentAnswer(BaseModel):
    """Tokens and chunks of a text."""

    num_tokens: int = Field(description="Tokens of the whole content.")
    tokenizer: str
    usage: SegmentUsage
    num_chunks: int | None = None
    chunk_positions: list[tuple[int, int]] | None = Field(
        None, description="Start and end of each chunk in the content, in UTF-16 code units as JavaScript counts them."
    )
    chunks: list[str] | None = None
    tokens: list[list[tuple[str, list[int]]]] | None = Field(
        None,
        description="Of each chunk, which is encoded on its own, pairs of a text and the ids that it has; without "
        "`return_chunks` one list, of the whole content.",
    )
    special_tokens: list[str] | None = Field(
        None, description="Special tokens of the tokenizer whose text stands in the content, where there are any."
    )


def segmented(asked: SegmentRequest, tokenizer: Tokenizer) -> dict[str, Any]:
    """A `SegmentAnswer`, without the fields that were not asked for."""
    shows_tokens = asked.return_tokens or asked.head is not None or asked.tail is not None
    pieces = tokenizer.tokenize(asked.content) if shows_tokens else ()
    answer: dict[str, Any] = {
        "num_tokens": tokenizer.count(asked.content),
        "tokenizer": asked.tokenizer,
        "usage": {"tokens": 0},
    }
    if special := tokenizer.special_tokens(asked.content):
        answer["special_tokens"] = special
    text, before, shown = _end_asked_for(asked, pieces)
    tokens = [shown]
    if asked.return_chunks:
        segmenter = Segmenter(pack=False, tokenizer=tokenizer, max_chunk_length=asked.max_chunk_length)
        segmentation = segmenter.segment(text)
        chunks = [chunk.text for chunk in segmentation.chunks]
        offset = len(before.encode("utf-16-le")) // 2
        answer |= {
            "num_chunks": len(chunks),
            "chunk_positions": [(start + offset, end + offset) for start, end in segmentation.utf16_offsets],
            "chunks": chunks,
        }
        tokens = [tokenizer.tokenize(chunk) for chunk in chunks] if shows_tokens else []
    if shows_tokens:
        answer["tokens"] = [[(piece.text, piece.ids) for piece in some] for some in tokens]
    return answer


def _end_asked_for(asked: SegmentRequest, pieces: Sequence[TokenPiece]) -> tuple[str, str, Sequence[TokenPiece]]:
    """The text asked for, what stands before it, and its tokens; whole characters only."""
    if asked.head is not None:
        shown = pieces[: _within(asked.head, pieces)]
        return "".join(piece.text for piece in shown), "", shown
    if asked.tail is not None:
        first = len(pieces) - _within(asked.tail, reversed(pieces))
        text = "".join(piece.text for piece in pieces[first:])
        return text, asked.content[: len(asked.content) - len(text)], pieces[first:]
    return asked.content, "", pieces


def _within(most: int, pieces: Iterable[TokenPiece]) -> int:
    """How many of the pieces have together no more than so many tokens."""
    total = 0
    for number, piece in enumerate(pieces):
        total += len(piece.ids)
        if total > most:
            return number
    return number + 1
