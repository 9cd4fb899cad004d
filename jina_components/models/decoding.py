"""What happens to generated tokens: they become text piece by piece, and an endless loop is noticed."""

from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer

# A part of this many tokens at most, said so often, over so many tokens at least, is a loop. Rules of tables, empty
# cells and rows of zeros repeat themselves too, but not for so long.
LONGEST_PERIOD, REPEATS, SHORTEST_LOOP = 256, 4, 512

_HALF_CHARACTER = "\ufffd"


class Detokenizer:
    """Text of a growing sequence of tokens, given out as soon as no later token can change it.

    A character may be spread over tokens, and a token's text may depend on the one before. So the new tokens are
    decoded behind those of the piece before, and held back while they end within a character.

    Args:
        tokenizer: Of the model; its special tokens have no text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._given = 0  # of these, at the beginning

    def push(self, token: int) -> str:
        """The text that is certain now and was not before; may be empty."""
        self._ids.append(token)
        return self._advance(hold=True)

    def flush(self) -> str:
        """What was held back; half a character becomes U+FFFD."""
        return self._advance(hold=False)

    def _advance(self, *, hold: bool) -> str:
        given, text = self._decode(self._ids[: self._given]), self._decode(self._ids)
        if hold and text.endswith(_HALF_CHARACTER):
            return ""
        self._ids = self._ids[self._given :]
        self._given = len(self._ids)
        return text[len(given) :]

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text


class LoopGuard:
    """Notices when generation has run into a loop.

    Small models that copy long texts do: of the first Reader-LM its makers report the same
    (https://jina.ai/news/reader-lm-small-language-models-for-cleaning-and-converting-html-to-markdown).
    """

    def __init__(self) -> None:
        periods = np.arange(1, LONGEST_PERIOD + 1)
        self._recent = np.full(LONGEST_PERIOD, -1)  # the latest first
        self._runs = np.zeros(LONGEST_PERIOD, np.int64)  # by period, of tokens equal to the one that far before
        self._enough = np.maximum(SHORTEST_LOOP, REPEATS * periods) - periods

    def push(self, token: int) -> bool:
        """Whether this token makes it a loop."""
        self._runs = np.where(self._recent == token, self._runs + 1, 0)
        self._recent[1:] = self._recent[:-1]
        self._recent[0] = token
        return bool((self._runs >= self._enough).any())
