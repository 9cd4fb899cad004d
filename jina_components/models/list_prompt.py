"""The prompt of a listwise reranker: one query and many passages as token ids, with the places of their markers.

The text is that of jina-reranker-v3 (https://huggingface.co/jinaai/jina-reranker-v3, modeling.py). It is put together
of pieces whose tokens do not depend on each other, so that every document is tokenized once, and counts are exact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components.errors import InputError, ModelFilesError, TooLongError
from jina_components.models.parts import split_ids
from jina_components.models.sequences import TokenSequence
from jina_components.models.tokenize import TextTokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

MOST_PASSAGES = 125
"""Of one prompt, as published."""
QUERY_TOKENS, DOCUMENT_TOKENS = 512, 2048
"""What is kept of a query and of a passage, as published."""
DOCUMENT_MARKER, QUERY_MARKER = "<|embed_token|>", "<|rerank_token|>"
"""Tokens at which the model gives the vector of a passage, and of the query."""

# A piece ends where the next token begins whatever comes: at a marker, between a digit and a quotation mark, or between
# a letter and a bracket. A newline of the template and those of a document are one token, so they are in one piece.
_OPENING = (
    "<|im_start|>system\n"
    "You are a search relevance expert who can determine a ranking of the passages based on how relevant they are to "
    "the query. "
    "If the query is a question, how relevant a passage is depends on how well it answers the question. "
    "If not, try to analyze the intent of the query and assess how well each passage satisfies the intent. "
    "If an instruction is provided, you should follow the instruction when determining the ranking."
    "<|im_end|>\n<|im_start|>user\n"
    "I will provide you with {number} passages, each indicated by a numerical identifier. "
    "Rank the passages based on their relevance to query: {query}\n"
    '<passage id="0'
)
_LEAD = '">\n'
_BETWEEN = '\n</passage>\n<passage id="{number}'
_QUESTION = "\n</passage>\n<query>\n{query}"
_CLOSING = "\n</query><|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


def render(query: str, documents: Sequence[str]) -> str:
    """The prompt as text; nothing is removed from the query and the documents."""
    passages = [f"{_LEAD}{document}{DOCUMENT_MARKER}" for document in documents]
    numbers = ["", *(_BETWEEN.format(number=number) for number in range(1, len(documents)))]
    return "".join([
        _OPENING.format(number=len(documents), query=query),
        *(number + passage for number, passage in zip(numbers, passages, strict=True)),
        _QUESTION.format(query=query),
        QUERY_MARKER,
        _CLOSING,
    ])  # fmt: skip


class ListPrompt:
    """Writes the prompt in a tokenizer's ids.

    Whatever a query or a document holds, it is text: the tokens that a tokenizer has beside its vocabulary (markers,
    turns of a chat) are removed from it, again and again until none is left. The published code removes the two markers
    alone, and once, so that `<|embed<|embed_token|>_token|>` becomes a marker.

    Args:
        tokenizer: Of the model.
        folder: Where it is from, for errors.

    Raises:
        ModelFilesError: the tokenizer lacks a marker, or does not give the prompt's tokens piece by piece.
    """

    def __init__(self, tokenizer: Tokenizer, folder: Path) -> None:
        self._texts = TextTokenizer(tokenizer, context=None, special_tokens=False)
        self._tokenizer = tokenizer
        self._added = _Added([str(token.content) for token in tokenizer.get_added_tokens_decoder().values()])
        markers = [tokenizer.token_to_id(marker) for marker in (DOCUMENT_MARKER, QUERY_MARKER)]
        if None in markers:
            raise ModelFilesError(f"{folder}: its tokenizer lacks {DOCUMENT_MARKER} or {QUERY_MARKER}.")
        self._document_marker, self._query_marker = (np.array([marker], np.int32) for marker in markers)
        self._lead, self._closing = self._ids(_LEAD), self._ids(_CLOSING)
        self._between = [self._ids(_BETWEEN.format(number=number)) for number in range(1, MOST_PASSAGES)]
        probe = ["a", "\nb\n", " \r\n c"]
        passages = [passage for [passage] in self.passages(probe, max_length=None, truncate=True)]
        if not np.array_equal(self.sequence("a", passages).ids, self._ids(render("a", probe))):
            raise ModelFilesError(
                f"{folder}: its tokenizer does not cut the prompt where a listwise reranker's does, at markers, digits "
                "and brackets."
            )

    @property
    def passage_overhead(self) -> int:
        """Tokens that a passage has beside its own, at most."""
        return len(self._between[-1]) + 1

    def frame_tokens(self, query: str) -> int:
        """Tokens of the prompt beside its passages, at most."""
        return sum(map(len, (self._opening(query, MOST_PASSAGES), self._question(query), self._closing))) + 1

    def longest(self, query: int | None, document: int | None) -> int:
        """Tokens of a prompt of one passage, at most, where these are kept of the query and of the document."""
        own = 2 * (query or QUERY_TOKENS) + (document or DOCUMENT_TOKENS)
        return self.frame_tokens("") + self.passage_overhead + len(self._lead) + own

    def query(self, text: str, *, max_length: int | None, truncate: bool) -> str:
        """The query as it is put in.

        Args:
            text: What the user asks.
            max_length: Keep this many tokens of it; None for `QUERY_TOKENS`, which must not be exceeded.
            truncate: Keep the head of one that exceeds them.

        Raises:
            InputError: nothing is left of it, or it exceeds them.
        """
        text = self._added.removed_from(text)
        if not text.strip():
            raise InputError("The query has no text but special tokens of the model.")
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        most = max_length or QUERY_TOKENS
        if len(offsets) > most and max_length is None and not truncate:
            raise TooLongError(
                f"The query has {len(offsets)} tokens, more than the {most} that the model takes: shorten it, or set "
                "max_query_length or truncate=True to keep its head."
            )
        return text if len(offsets) <= most else text[: offsets[most - 1][1]]

    def passages(self, texts: Sequence[str], *, max_length: int | None, truncate: bool) -> list[list[TokenSequence]]:
        """Token ids of each document as one passage, or as several that overlap; none for one without text.

        Args:
            texts: The documents.
            max_length: Keep this many tokens of each; None for passages of up to `DOCUMENT_TOKENS`.
            truncate: Keep the head of a document that exceeds them, rather than all of it in several passages.
        """
        cleaned = [self._added.removed_from(text) for text in texts]
        filled = [_LEAD + text for text in cleaned if text.strip()]
        head, room = len(self._lead), max_length or DOCUMENT_TOKENS
        found = self._texts.chunks(filled, max_length=None if max_length is None else head + max_length)
        parts = iter([self._parts(whole.ids, head, room, truncate=truncate) for [whole] in found])
        return [next(parts) if text.strip() else [] for text in cleaned]

    def sequence(self, query: str, passages: Sequence[TokenSequence]) -> TokenSequence:
        """The prompt of a query as `query` gives it and up to `MOST_PASSAGES` of what `passages` gives.

        Its spans are the markers of the passages in their order, then that of the query.
        """
        opening = self._opening(query, len(passages))
        starts = [opening, *self._between[: len(passages) - 1]]
        parts = [
            np.concatenate([start, passage.ids, self._document_marker])
            for start, passage in zip(starts, passages, strict=True)
        ]
        parts.append(np.concatenate([self._question(query), self._query_marker]))
        ends = np.cumsum([len(part) for part in parts], dtype=np.int32)
        return TokenSequence(np.concatenate([*parts, self._closing]), spans=np.stack([ends - 1, ends], 1))

    def _parts(self, ids: NDArray[np.int32], head: int, room: int, *, truncate: bool) -> list[TokenSequence]:
        """A passage, which begins with the lead, within its room."""
        parts = split_ids(ids[head:], room, truncate=truncate) or [ids[head:]]
        return [TokenSequence(np.concatenate([ids[:head], part])) for part in parts]

    def _opening(self, query: str, number: int) -> NDArray[np.int32]:
        return self._ids(_OPENING.format(number=number, query=query))

    def _question(self, query: str) -> NDArray[np.int32]:
        return self._ids(_QUESTION.format(query=query))

    def _ids(self, text: str) -> NDArray[np.int32]:
        return np.asarray(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int32)


class _Added:
    """Removes tokens from texts."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._any = re.compile("|".join(map(re.escape, tokens)) or r"(?!)")
        self._by_end: dict[str, list[list[str]]] = {}
        for token in tokens:
            self._by_end.setdefault(token[-1], []).append(list(token))

    def removed_from(self, text: str) -> str:
        """The text without any of the tokens, nor those that come about when one is taken out; in linear time."""
        if not self._any.search(text):
            return text
        kept: list[str] = []
        for character in text:
            kept.append(character)
            for token in self._by_end.get(character, ()):
                if kept[-len(token) :] == token:
                    del kept[-len(token) :]
                    break
        return "".join(kept)
