"""Texts and images as the sequences that jina-embeddings-v4 and jina-reranker-m0 were trained with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from jina_components.errors import ModelFilesError, TooLongError
from jina_components.models.parts import split_ids
from jina_components.models.patches import Patches
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

Side: TypeAlias = str | Patches
"""A text or an image."""


class Marker(Enum):
    """A special token that a prompt has; a text that looks like one stays text."""

    BEGIN = "<|im_start|>"
    END = "<|im_end|>"
    VISION_START = "<|vision_start|>"
    VISION_END = "<|vision_end|>"
    IMAGE = "<|image_pad|>"


Part: TypeAlias = Side | Marker
"""Of a prompt."""

_BEFORE: tuple[Part, ...] = (Marker.BEGIN, "user\n", Marker.VISION_START)
_AFTER: tuple[Part, ...] = (Marker.VISION_END, "Describe the image.", Marker.END, "\n")
_DOCUMENT, _QUERY = "**Document**:\n", "\n**Query**:\n"
# Id of the token that jina-reranker-m0 was trained to be scored at, behind every pair.
_SCORE_TOKEN = 100
# Part of the context that a query leaves to the documents at least, as of other cross-encoders.
_DOCUMENT_SHARE = 1 / 8
# Tokens that a part of a document may grow by when it is tokenized with what stands around it.
_SLACK = 8
# Texts tokenized at a time.
_SLICE = 64


class VisionPrompts:
    """Puts texts and images into prompts.

    Args:
        tokenizer: The model's, which takes special tokens within texts for text from now on.

    Raises:
        ModelFilesError: it lacks the tokens that stand around images.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        found = {marker: tokenizer.token_to_id(marker.value) for marker in Marker}
        if lacking := [marker.value for marker, number in found.items() if number is None]:
            raise ModelFilesError(f"The tokenizer lacks {', '.join(lacking)}: it is no Qwen-VL's.")
        self._markers = {marker: np.array([number], np.int32) for marker, number in found.items()}

    def image(self, patches: Patches, *, adapter: int = -1, every_token: bool = False) -> TokenSequence:
        """An image to embed, of which the mean from the token before it to the one behind it is wanted.

        Args:
            patches: The image.
            adapter: Number of the adapter it runs with, -1 for none.
            every_token: Each token's vector is wanted instead, of the prompt's too.
        """
        [sequence] = self.sequences([[*_BEFORE, patches, *_AFTER]])
        start = sequence.images[0].start
        spans = [(start - 1, start + patches.tokens + 1)]
        if every_token:
            spans = [(place, place + 1) for place in range(len(sequence))]
        return TokenSequence(sequence.ids, adapter=adapter, spans=np.array(spans, np.int32), images=sequence.images)

    def sequences(self, prompts: Sequence[Sequence[Part]]) -> list[TokenSequence]:
        """Prompts of texts, images and markers; texts beside each other are tokenized as one."""
        joined = [_joined(prompt) for prompt in prompts]
        texts = [part for part in chain.from_iterable(joined) if isinstance(part, str)]
        ids = iter(self._ids(texts))
        return [self._sequence(prompt, ids) for prompt in joined]

    def _sequence(self, prompt: Sequence[Part], ids: Iterator[NDArray[np.int32]]) -> TokenSequence:
        parts: list[NDArray[np.int32]] = []
        images: list[Patches] = []
        for part in prompt:
            if isinstance(part, str):
                parts.append(next(ids))
            elif isinstance(part, Marker):
                parts.append(self._markers[part])
            else:
                images.append(part._replace(start=sum(map(len, parts))))
                parts.append(np.repeat(self._markers[Marker.IMAGE], part.tokens))
        return TokenSequence(np.concatenate(parts), images=tuple(images))

    def _ids(self, texts: Sequence[str]) -> Iterator[NDArray[np.int32]]:
        for start in range(0, len(texts), _SLICE):
            for encoding in self._tokenizer.encode_batch_fast(texts[start : start + _SLICE], add_special_tokens=False):
                yield np.asarray(encoding.ids, np.int32)

    def count(self, text: str) -> int:
        """Tokens of a text alone."""
        return len(next(self._ids([text])))

    def parts(self, text: str, room: int | None, *, truncate: bool) -> list[str]:
        """A text in parts of `room` tokens that overlap and cover it, or its head alone; all of it where it fits."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        if room is None or len(encoding) <= room:
            return [text]
        offsets = encoding.offsets
        cut = split_ids(np.arange(len(offsets), dtype=np.int32), room, truncate=truncate)
        return [text[offsets[part[0]][0] : offsets[part[-1]][1]] for part in cut]


@dataclass(frozen=True, slots=True)
class PairPrompts:
    """Pairs of a document and a query, in that order, of which the last token is scored.

    Attributes:
        prompts: Of the model's tokenizer.
        context: Longest sequence in tokens.
    """

    prompts: VisionPrompts
    context: int

    def pairs(
        self,
        query: Side,
        documents: Sequence[Side],
        *,
        truncate: bool = False,
        max_query_length: int | None = None,
        max_document_length: int | None = None,
    ) -> list[list[TokenSequence]]:
        """Each document with the query, or each of the chunks of a text that does not fit beside it.

        Args:
            query: A text that passes `check_text`, or an image.
            documents: Likewise.
            truncate: Keep the head of a text that does not fit beside the query, rather than all of it in chunks,
                and of a query that leaves less than an eighth of the context, rather than raise.
            max_query_length: Keep this many tokens of a query's text; None for all.
            max_document_length: Likewise of each document's.

        Returns:
            For each document its pairs; chunks overlap by 80 tokens, or a quarter of the room if that is less.

        Raises:
            TooLongError: the query leaves less than an eighth of the context, or an image does not fit beside it.
        """
        query = self._query(query, max_query_length, truncate=truncate)
        whole = [self._cut(document, max_document_length) for document in documents]
        room = self.context - len(self._framed(query, [""])[0])
        pairs = [[pair] for pair in self._framed(query, whole)]
        for number, document in enumerate(whole):
            if len(pairs[number][0]) <= self.context:
                continue
            if not isinstance(document, str):
                raise TooLongError(
                    f"The query and an image of {document.tokens} tokens are over {self.context} tokens."
                )
            parts = self.prompts.parts(document, max(1, room - _SLACK), truncate=truncate)
            pairs[number] = self._framed(query, parts)
        return pairs

    def _query(self, query: Side, max_length: int | None, *, truncate: bool) -> Side:
        query = self._cut(query, max_length)
        length = self.prompts.count(query) if isinstance(query, str) else query.tokens
        frame = len(self._framed("", [""])[0])
        most = int((self.context - frame) * (1 - _DOCUMENT_SHARE))
        if length <= most:
            return query
        if isinstance(query, str) and truncate:
            return self._cut(query, most)
        raise TooLongError(
            f"The query has {length} tokens; up to {most} leave room for documents in the model's context of "
            f"{self.context}: shorten it, or set max_query_length or truncate=True to keep its head."
        )

    def _cut(self, side: Side, length: int | None) -> Side:
        """The head of a text."""
        if length is None or not isinstance(side, str):
            return side
        return self.prompts.parts(side, length, truncate=True)[0]

    def _framed(self, query: Side, documents: Sequence[Side]) -> list[TokenSequence]:
        prompts: list[list[Part]] = [[_DOCUMENT, *_side(one), _QUERY, *_side(query)] for one in documents]
        return [
            TokenSequence(np.append(pair.ids, np.int32(_SCORE_TOKEN)), images=pair.images)
            for pair in self.prompts.sequences(prompts)
        ]


def _side(side: Side) -> tuple[Part, ...]:
    return (side,) if isinstance(side, str) else (Marker.VISION_START, side, Marker.VISION_END)


def _joined(prompt: Sequence[Part]) -> list[Part]:
    """A prompt whose neighbouring texts are one."""
    joined: list[Part] = []
    for part in prompt:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined
