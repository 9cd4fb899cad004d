"""Tokens of a conversation, as budgets count them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jina_components.protocols import ChatMessage

if TYPE_CHECKING:
    from jina_components.models.tokenizers import Tokenizer

IMAGE_TOKENS = 1000
"""Of an image: about what vision models count one of a megapixel as."""

_TURN = 4  # that a chat template puts around a turn
# Characters of the longest token: the bundled vocabulary has one token for a word of any length, others do not.
_LONGEST = 8


def count_tokens(text: str) -> int:
    """Tokens of a text by the bundled tokenizer, which stands for that of any model."""
    return max(_tokenizer().count(text), len(text) // _LONGEST)


def head(text: str, tokens: int) -> str:
    """The beginning of a text that has about so many tokens, with an ellipsis if there is more."""
    begin = text[: tokens * _LONGEST]
    cut = _tokenizer().head(begin, tokens)
    return text if len(cut) == len(text) else cut.rstrip() + "…"


def count_messages(messages: Sequence[ChatMessage]) -> int:
    """Tokens of a conversation."""
    return sum(count_tokens(message.content) + IMAGE_TOKENS * len(message.images) + _TURN for message in messages)


@functools.cache
def _tokenizer() -> Tokenizer:
    from jina_components.models.tokenizers import BUNDLED, Tokenizer

    return Tokenizer(BUNDLED)
