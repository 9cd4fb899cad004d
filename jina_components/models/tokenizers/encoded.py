"""Tokens with their places, and what is read from the places alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jina_components.types import TokenPiece

Numbers: TypeAlias = NDArray[np.int32]

_SURROGATE = re.compile("[\ud800-\udfff]")


class Encoded(NamedTuple):
    """Tokens of a text, in order; int32, shape [number of tokens] each.

    Attributes:
        ids: Their ids in the vocabulary.
        starts: Code point that holds the beginning of each.
        ends: Behind the code point that holds the end of each.
    """

    ids: Numbers
    starts: Numbers
    ends: Numbers

    def moved(self, by: int) -> Encoded:
        """The same tokens of a text with so many characters before it."""
        return Encoded(self.ids, self.starts + np.int32(by), self.ends + np.int32(by))


class Encoder(Protocol):
    """Finds the tokens of a stretch of text in memory. Thread-safe.

    Attributes:
        parting: Finds, with no width, places where cutting a text changes none of its tokens; or None where
            none is known.
        longest: The most characters that it should be given at once, or None.
        special_tokens: Texts of the special tokens of the vocabulary.
    """

    @property
    def parting(self) -> re.Pattern[str] | None:
        """See the class."""
        ...

    @property
    def longest(self) -> int | None:
        """See the class."""
        ...

    @property
    def special_tokens(self) -> Sequence[str]:
        """See the class."""
        ...

    def count(self, text: str) -> int:
        """Number of tokens."""
        ...

    def ids(self, text: str) -> Numbers:
        """Ids of the tokens, special tokens neither added nor recognised."""
        ...

    def encode(self, text: str) -> Encoded:
        """The same tokens with their places."""
        ...


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which no encoding knows; its length stays."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def joined(parts: Iterable[Numbers]) -> Numbers:
    """Arrays one behind the other; an empty one of none."""
    return np.concatenate([np.empty(0, np.int32), *parts])


def complete_ends(encoded: Encoded) -> Numbers:
    """Code points that are complete after each token: none of them is needed for a token further on."""
    ends = encoded.ends.copy()
    later = np.minimum.accumulate(encoded.starts[::-1])[::-1]
    np.minimum(ends[:-1], later[1:], out=ends[:-1])
    return np.maximum.accumulate(ends)


def token_pieces(text: str, encoded: Encoded) -> list[TokenPiece]:
    """The shortest runs of tokens that each end with a whole character; their texts joined are `text`."""
    if not len(encoded.ids):
        return []
    ends = complete_ends(encoded)
    ends[-1] = len(text)
    lasts = np.flatnonzero(np.diff(ends, prepend=0))
    ids = encoded.ids.tolist()
    pieces, id_start, start = [], 0, 0
    for id_end, end in zip([*(lasts[:-1] + 1).tolist(), len(ids)], ends[lasts].tolist(), strict=True):
        pieces.append(TokenPiece(text[start:end], tuple(ids[id_start:id_end])))
        id_start, start = id_end, end
    return pieces
