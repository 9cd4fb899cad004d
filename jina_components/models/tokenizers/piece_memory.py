"""Tokens of pieces of text that stand alone, remembered: running text repeats its words."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
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
    """Tokens of numbered pieces. Arrays are never changed, numbers only added: threads may share it."""

    numbers: dict[str, int]
    lengths: Numbers  # characters of each piece
    firsts: Numbers  # row of its first token, and after the last piece the number of all tokens
    tokens: Encoded  # places are those in the piece


def _empty_table() -> _Table:
    nothing = np.empty(0, np.int32)
    return _Table({}, nothing, np.zeros(1, np.int32), Encoded(nothing, nothing, nothing))


class PieceMemory:
    """Tokens of a text, taken apart at the characters where BERT's WordPiece always parts words.

    Args:
        encode: Tokens of a text, the slow way.
    """

    def __init__(self, encode: Callable[[str], Encoded]) -> None:
        self._encode = encode
        self._table = _empty_table()
        self._lock = threading.Lock()

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
        ids, starts, ends = table.tokens
        return Encoded(ids[tokens], starts[tokens] + shift, ends[tokens] + shift)

    def _look_up(self, text: str) -> tuple[_Table, Numbers]:
        """The pieces of `text` as rows of a table."""
        pieces = _PIECE.findall(text)
        table = self._learn(set(pieces))
        return table, np.fromiter(map(table.numbers.__getitem__, pieces), np.int32, len(pieces))

    def _learn(self, pieces: set[str]) -> _Table:
        """The table with all of `pieces`; begun anew when it has grown too large."""
        with self._lock:
            missing = sorted(pieces.difference(self._table.numbers))
            if missing:
                if self._table.lengths.sum() > _MOST_CHARACTERS:
                    self._table, missing = _empty_table(), sorted(pieces)
                self._table = self._extended(self._table, missing)
            return self._table

    def _extended(self, table: _Table, pieces: list[str]) -> _Table:
        # One call for all of them: a new line parts words without being a token.
        new = self._encode("\n".join(pieces))
        lengths = np.fromiter(map(len, pieces), np.int32, len(pieces))
        places = np.cumsum(lengths + 1, dtype=np.int32) - lengths - 1
        firsts = np.searchsorted(new.starts, places)
        shift = np.repeat(places, np.diff(firsts, append=len(new.starts)))
        numbers = table.numbers
        numbers.update(zip(pieces, range(len(numbers), len(numbers) + len(pieces)), strict=True))
        return _Table(
            numbers,
            np.concatenate((table.lengths, lengths)),
            np.concatenate((table.firsts, table.firsts[-1] + np.append(firsts[1:], len(new.ids)).astype(np.int32))),
            Encoded(
                np.concatenate((table.tokens.ids, new.ids)),
                np.concatenate((table.tokens.starts, new.starts - shift)),
                np.concatenate((table.tokens.ends, new.ends - shift)),
            ),
        )
