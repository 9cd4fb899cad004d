"""Lengths in characters or tokens, for stretches of one text."""

from __future__ import annotations

from bisect import bisect_left
from typing import Protocol

from jina_components.models.tokenizers import Tokenizer

# How far from the end of a stretch a space is looked for, before which tokens end.
_NEAR = 64


class Ruler(Protocol):
    """Measures stretches of one text."""

    def size(self, start: int, end: int) -> int:
        """Length of the stretch within the text; in time that does not grow with it."""
        ...

    def size_alone(self, start: int, end: int) -> int:
        """Length of `text[start:end]` taken out of the text."""
        ...

    def reach(self, start: int, size: int) -> int:
        """The furthest end of a stretch of `size` from `start`."""
        ...

    def back(self, end: int, size: int) -> int:
        """The earliest start of a stretch of `size` up to `end`."""
        ...


class CharacterRuler:
    """Measures in code points."""

    def __init__(self, text: str) -> None:
        self._length = len(text)

    def size(self, start: int, end: int) -> int:
        """Code points between the two."""
        return end - start

    size_alone = size

    def reach(self, start: int, size: int) -> int:
        """`start + size`, within the text."""
        return min(start + size, self._length)

    def back(self, end: int, size: int) -> int:
        """`end - size`, within the text."""
        return max(end - size, 0)


class TokenRuler:
    """Measures in tokens, which are found once for the whole text.

    Attributes:
        total: Tokens of the whole text.
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self._text = text
        self._tokenizer = tokenizer
        self._starts = tokenizer.starts(text).data  # a memoryview: bisect reads it faster than an array
        self.total = len(self._starts)

    def size(self, start: int, end: int) -> int:
        """Tokens that begin between the two."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def size_alone(self, start: int, end: int) -> int:
        """Tokens of the stretch; only near its ends, where the cuts may have changed them, are they counted anew."""
        if self._tokenizer.stands_alone(self._text, start, end):
            return self.size(start, end)
        first = self._text.find(" ", start + 1, min(start + _NEAR, end))
        last = self._text.rfind(" ", max(start, end - _NEAR), end - 1)
        if 0 < first < last and self._tokenizer.stands_alone(self._text, first, last):
            outside = self._count(start, first) + self._count(last, end)
            return outside + self.size(first, last)
        return self._count(start, end)

    def _count(self, start: int, end: int) -> int:
        return self._tokenizer.count(self._text[start:end])

    def reach(self, start: int, size: int) -> int:
        """The end of the `size`-th token from `start` and of the white space behind it."""
        index = bisect_left(self._starts, start) + size
        return self._starts[index] if index < self.total else len(self._text)

    def back(self, end: int, size: int) -> int:
        """The start of the `size`-th token before `end`."""
        index = bisect_left(self._starts, end) - size
        return self._starts[max(index, 0)] if size and self.total else end
