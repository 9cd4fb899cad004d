"""BERT's tokenization at the speed of a dictionary: what stands between two blanks is tokenized once and remembered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

# What BERT's normalizer takes for blanks, of ASCII; its other blanks stay inside a piece, for the tokenizer to find.
_PIECE = re.compile(r"[^ \t\n\r]+")
# Longer ones are rare, and would fill the memory.
_LONGEST_KEPT, _MOST_KEPT = 32, 200_000


class PieceTokenizer:
    """Token ids without special tokens, the same as the tokenizer's own.

    Args:
        tokenizer: One that `is_by_piece` accepts.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def __call__(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Token ids of each text; safe from several threads."""
        pieces = [_PIECE.findall(text) for text in texts]
        ids = self._look_up(chain.from_iterable(pieces))
        return [np.fromiter(chain.from_iterable(map(ids.__getitem__, own)), np.int32) for own in pieces]

    def _look_up(self, pieces: Iterable[str]) -> dict[str, list[int]]:
        known = self._known  # another thread may put an empty one in its place
        new = list(set(pieces).difference(known))
        if not new:
            return known
        found = {
            piece: encoding.ids
            for piece, encoding in zip(
                new, self._tokenizer.encode_batch_fast(new, add_special_tokens=False), strict=True
            )
        }
        if len(known) + len(found) > _MOST_KEPT:
            self._known = {}
        self._known.update((piece, ids) for piece, ids in found.items() if len(piece) <= _LONGEST_KEPT)
        return _New(found, known)


class _New(dict[str, list[int]]):
    """New entries before known ones, which need not be copied."""

    def __init__(self, new: dict[str, list[int]], known: dict[str, list[int]]) -> None:
        super().__init__(new)
        self._known = known

    def __missing__(self, piece: str) -> list[int]:
        return self._known[piece]


def is_by_piece(tokenizer: Tokenizer) -> bool:
    """Whether a text's tokens are those of what stands between its blanks, one after the other.

    That is so for BERT's normalizer, pre-tokenizer and WordPiece (Devlin et al. 2019), unless an added token
    reaches beyond a blank.
    """
    parts: dict[str, Any] = json.loads(tokenizer.to_str())
    normalizer = parts["normalizer"] or {}
    steps = normalizer.get("normalizers", [normalizer])
    return (
        parts["model"]["type"] == "WordPiece"
        and (parts["pre_tokenizer"] or {}).get("type") == "BertPreTokenizer"
        and all(step.get("type") in ("BertNormalizer", "Lowercase") for step in steps)
        and not any(
            token["lstrip"] or token["rstrip"] or token["single_word"] or re.search(r"\s", token["content"])
            for token in parts["added_tokens"]
        )
    )
