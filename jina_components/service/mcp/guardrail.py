"""Texts cut to what a client takes: some refuse a result of more tokens than that."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from mcp.types import TextContent

from jina_components.models.tokenizers import Tokenizer
from jina_components.service.mcp.results import Content, text

# Clients that take at most 25,000 tokens, as they say they are called. They count with another tokenizer, and what
# stands around the text too, so that they are given less.
_CAREFUL = ("claude-code", "claude-ai", "cursor-vscode")
_THEIRS = 20_000


def most_tokens(client: str) -> int | None:
    """The tokens that a client takes; None for any number."""
    return _THEIRS if any(name in client.lower() for name in _CAREFUL) else None


def cut(content: Sequence[Content], most: int) -> list[Content]:
    """The first `most` tokens of the texts, by cl100k_base, and a word about the rest. It takes a while: call it in a
    thread.
    """  # noqa: D205 (one sentence)
    texts = [part for part in content if isinstance(part, TextContent)]
    if sum(len(part.text.encode()) for part in texts) <= most:  # a token has a byte at least
        return list(content)
    left, lost, kept = most, 0, list[Content]()
    for part in content:
        if not isinstance(part, TextContent):
            kept.append(part)
            continue
        tokens = _tokenizer().count(part.text)
        if tokens <= left:
            kept.append(part)
        elif left:
            kept.append(text(_tokenizer().head(part.text, left)))
        lost += max(tokens - left, 0)
        left = max(left - tokens, 0)
    if lost:
        told = f"[{lost:,} more tokens are left out: {most:,} are taken. Read fewer pages at once, or ask a question.]"
        kept.append(text(told))
    return kept


@functools.cache
def _tokenizer() -> Tokenizer:
    return Tokenizer("cl100k_base")
