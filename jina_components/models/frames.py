"""What a tokenizer puts around a text, or the two of a pair: markers and segments, as in an encoding of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jina_components.errors import ModelFilesError
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Encoding


def sides_of(encoding: Encoding) -> NDArray[np.int64]:
    """Which text each token is of: 0, 1, or -1 for a special token."""
    return np.array([-1 if side is None else side for side in encoding.sequence_ids], np.int64)


def text_frame(encoding: Encoding, *, keep: int, types: bool) -> Frame:
    """A text's surroundings, or those of the second of a pair, of whose first `keep` tokens stay."""
    sides = sides_of(encoding)
    if not (sides >= 0).any():
        raise ModelFilesError("The tokenizer gives no token for a plain letter: it is not this model's.")
    last = max(0, int(sides.max(initial=0)))
    kept = np.ones(len(sides), bool)
    if last:
        kept[np.flatnonzero(sides == 0)[keep:]] = False
    kept[np.flatnonzero(sides == last)[1:]] = False
    type_ids = np.asarray(encoding.type_ids, np.int32)[kept] if types else None
    return Frame(np.asarray(encoding.ids, np.int32)[kept], type_ids, int(np.flatnonzero(sides[kept] == last)[0]))


@dataclass(frozen=True, slots=True)
class Frame:
    """A pair with one token, at `slot`, in the document's place."""

    ids: NDArray[np.int32]
    types: NDArray[np.int32] | None
    slot: int

    def __len__(self) -> int:
        return len(self.ids) - 1

    def around(self, document: NDArray[np.int32], *, prompt: int = 0, adapter: int = -1) -> TokenSequence:
        """With the document's tokens, of which `prompt` are a prompt's, for an adapter."""
        ids = np.concatenate([self.ids[: self.slot], document, self.ids[self.slot + 1 :]])
        if self.types is None:
            return TokenSequence(ids, prompt=prompt, adapter=adapter)
        repeats = np.ones(len(self.ids), np.int64)
        repeats[self.slot] = len(document)
        return TokenSequence(ids, np.repeat(self.types, repeats), prompt, adapter)


def pair_frame(encoding: Encoding, *, types: bool) -> PairFrame:
    """The surroundings of a pair's texts."""
    sides = sides_of(encoding)
    starts = [np.flatnonzero(sides == side)[:1] for side in (0, 1)]
    if not all(map(len, starts)):
        raise ModelFilesError("The tokenizer gives no token for a plain letter: it is not this model's.")
    kept = sides == -1
    kept[np.concatenate(starts)] = True
    type_ids = np.asarray(encoding.type_ids, np.int32)[kept] if types else None
    first, second = (int(np.flatnonzero(sides[kept] == side)[0]) for side in (0, 1))
    return PairFrame(np.asarray(encoding.ids, np.int32)[kept], type_ids, first, second)


@dataclass(frozen=True, slots=True)
class PairFrame:
    """A pair of texts of one token each, at `first` and `second`."""

    ids: NDArray[np.int32]
    types: NDArray[np.int32] | None
    first: int
    second: int

    def __len__(self) -> int:
        return len(self.ids) - 2

    def around(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> TokenSequence:
        """With the tokens of both texts."""
        between = self.ids[self.first + 1 : self.second]
        ids = np.concatenate([self.ids[: self.first], first, between, second, self.ids[self.second + 1 :]])
        if self.types is None:
            return TokenSequence(ids)
        repeats = np.ones(len(self.ids), np.int64)
        repeats[[self.first, self.second]] = len(first), len(second)
        return TokenSequence(ids, np.repeat(self.types, repeats))
