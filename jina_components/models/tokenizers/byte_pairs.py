"""Byte-level byte-pair encodings: each token stands for bytes of the text, which joined are the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from jina_components.models.tokenizers.encoded import Encoded, Numbers, without_surrogates


class BytePairEncoder:
    """Tokens of a byte-level encoding, located by their numbers of bytes.

    Args:
        encode: Ids of the tokens of a text.
        count: Their number.
        lengths: Bytes of each token, by its id.
        parting: See `Encoder`; `encode` must be linear, for where nothing parts a text it gets all of it.
        special_tokens: See `Encoder`.
    """

    longest = None

    def __init__(
        self,
        encode: Callable[[str], NDArray[np.uint32]],
        *,
        count: Callable[[str], int],
        lengths: Numbers,
        parting: re.Pattern[str],
        special_tokens: Sequence[str],
    ) -> None:
        self.parting = parting
        self.special_tokens = special_tokens
        self._encode = encode
        self._count = count
        self._lengths = lengths

    def count(self, text: str) -> int:
        """Number of tokens."""
        return self._count(without_surrogates(text))

    def ids(self, text: str) -> Numbers:
        """Ids of the tokens."""
        return self._encode(without_surrogates(text)).astype(np.int32)

    def encode(self, text: str) -> Encoded:
        """The tokens with their places: where one ends within a character, both it and the next hold that."""
        ids = self.ids(text)
        lengths = self._lengths[ids]
        ends = np.cumsum(lengths, dtype=np.int32)
        starts = ends - lengths
        if text.isascii():
            return Encoded(ids, starts, ends)
        characters = _characters(without_surrogates(text).encode())
        return Encoded(ids, characters[starts], characters[ends - 1] + np.int32(1))


def _characters(data: bytes) -> Numbers:
    """For each byte of UTF-8 the character that it is part of."""
    begins = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
    characters = np.cumsum(begins, dtype=np.int32)
    characters -= 1
    return characters
