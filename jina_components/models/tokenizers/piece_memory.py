"""Tokens of pieces of text that stand alone, remembered: running text repeats its words."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

import numpy as np

from jina_components.models.tokenizers.encoded import Encoded, Numbers

# Characters at which BERT's pre-tokenizer always parts words: white space, ASCII punctuation, and the
# commoner ideographs and other punctuation. It knows more, but a piece may well hold several words.
_SPACE = r" \t\n\r\u00a0\u3000"
_ALONE = (
    r"!-/:-@\[-`{-~\u00a1\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf\u060c\u061b\u061f\u0964\u0965"
    r"\u2010-\u2027\u2030-\u2043\u3001-\u3003\u3008-\u3011"
    r"\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\u3400-\u4dbf\u4e00-\u9fff"
)
_PIECE = re.compile(f"[{_ALONE}][{_SPACE}]*+|[^{_ALONE}{_SPACE}]++[{_SPACE}]*+|[{_SPACE}]++")
PARTING = re.compile(f"(?<=[{_ALONE}{_SPACE}])|(?=[{_ALONE}{_SPACE}])")

_MOST_CHARACTERS = 1 << 22


class _Table(NamedTuple):
    """Tokens of numbered pieces, and room behind them. What is there is never changed: threads may share it."""

    lengths: Numbers  # characters of each piece
    firsts: Numbers  # row of its first token, and after the last piece the number of all tokens
    ids: Numbers
    starts: Numbers  # in the piece
    ends: Numbers


class PieceMemory:
    """Tokens of a text, taken apart at the characters where BERT's WordPiece always parts words.

    Args:
        encode: Tokens of a text, the slow way.
    """

    def __init__(self, encode: Callable[[str], Encoded]) -> None:
        self._encode = encode
        self._lock = threading.Lock()
        self._forget()

    def count(self, text: str) -> int:
        """Number of the tokens of `text`."""
        table, rows = self._look_up(text)
        return int((table.firsts[rows + 1] - table.firsts[rows]).sum())

    def encode(self, text: str) -> Encoded:
        """The tokens of `text`, as the slow way would give them."""
        table, rows = self._look_up(text)
        lengths, firsts = table.lengths[rows], table.firsts[rows]
        counts = table.firsts[rows + 1] - firsts
        ends_of_counts = np.cumsum(counts, dtype=np.int32)
        tokens = np.arange(ends_of_counts[-1] if len(rows) else 0, dtype=np.int32)
        tokens += np.repeat(firsts - ends_of_counts + counts, counts)
        shift = np.repeat(np.cumsum(lengths, dtype=np.int32) - lengths, counts)
        return Encoded(table.ids[tokens], table.starts[tokens] + shift, table.ends[tokens] + shift)

    def _forget(self) -> None:
        nothing = np.empty(0, np.int32)
        self._table = _Table(nothing, np.zeros(1, np.int32), nothing, nothing, nothing)
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._numbers.default_factory = self._numbers.__len__  # a new piece gets the next number
        self._characters = 0

    def _look_up(self, text: str) -> tuple[_Table, Numbers]:
        """The pieces of `text` as rows of a table; begun anew when it has grown too large."""
        pieces = _PIECE.findall(text)
        with self._lock:
            known = len(self._numbers)
            try:
                rows = np.fromiter(map(self._numbers.__getitem__, pieces), np.int32, len(pieces))
                if missing := len(self._numbers) - known:
                    self._learn(known, [*islice(reversed(self._numbers), missing)][::-1])
            except BaseException:  # interrupted: some numbers may stand for nothing
                self._forget()
                raise
            table = self._table
            if self._characters > _MOST_CHARACTERS:
                self._forget()
            return table, rows

    def _learn(self, known: int, pieces: list[str]) -> None:
        """Put the tokens of the pieces behind the `known` ones."""
        # One call for all of them: a new line parts words without being a token.
        new = self._encode("\n".join(pieces))
        lengths = np.fromiter(map(len, pieces), np.int32, len(pieces))
        places = np.cumsum(lengths + 1, dtype=np.int32) - lengths - 1
        firsts = np.searchsorted(new.starts, places)
        shift = np.repeat(places, np.diff(firsts, append=len(new.starts)))
        table, tokens = self._table, int(self._table.firsts[known])
        self._characters += int(lengths.sum())
        self._table = _Table(
            _appended(table.lengths, known, lengths),
            _appended(table.firsts, known, tokens + np.append(firsts, len(new.ids))),
            _appended(table.ids, tokens, new.ids),
            _appended(table.starts, tokens, new.starts - shift),
            _appended(table.ends, tokens, new.ends - shift),
        )


def _appended(array: Numbers, used: int, new: Numbers) -> Numbers:
    """`array[:used]` and `new` behind it, in `array` itself where there is room."""
    if used + len(new) > len(array):
        old, array = array, np.empty(2 * (used + len(new)), np.int32)
        array[:used] = old[:used]
    array[used : used + len(new)] = new
    return array
