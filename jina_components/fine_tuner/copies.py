"""Texts told apart from their near-copies."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.overlap import terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

# MinHash (Broder 1997): hashes of a text; those of a band, equal in which texts are compared; and the share of equal
# hashes, which estimates that of common shingles, from which on a text is a copy.
_HASHES, _BAND, _COPY = 64, 4, 0.8
_SHINGLE = 3
_PRIME = (1 << 61) - 1
# Of a text, so many terms tell it.
_MOST_TERMS = 5000


def copies(texts: Sequence[str]) -> list[int]:
    """For each text the position of the first that it is a near-copy of, directly or through others, or its own."""
    signatures = np.stack([_signature(text) for text in texts]) if texts else np.empty((0, _HASHES), np.uint64)
    firsts = list(range(len(texts)))

    def first(row: int) -> int:
        while firsts[row] != row:
            firsts[row] = firsts[firsts[row]]
            row = firsts[row]
        return row

    for start in range(0, _HASHES, _BAND):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for row in range(len(texts)):
            buckets[signatures[row, start : start + _BAND].tobytes()].append(row)
        for rows in buckets.values():
            for row in rows[1:]:  # with the first of the bucket: copies of one another share more than one bucket
                one, other = sorted((first(rows[0]), first(row)))
                if one != other and np.mean(signatures[rows[0]] == signatures[row]) >= _COPY:
                    firsts[other] = one
    return [first(row) for row in range(len(texts))]


def _signature(text: str) -> NDArray[np.uint64]:
    words = list(islice(terms(text), _MOST_TERMS))
    shingles = {" ".join(words[at : at + _SHINGLE]) for at in range(max(len(words) - _SHINGLE + 1, 1))}
    hashes = np.fromiter((zlib.crc32(shingle.encode("utf-8", "surrogatepass")) for shingle in shingles), np.uint64)
    return np.asarray(((hashes[:, None] * _FACTORS + _SUMMANDS) >> np.uint64(32)).min(axis=0), np.uint64)


_FACTORS, _SUMMANDS = np.random.default_rng(0).integers(1, _PRIME, (2, _HASHES), np.uint64) | np.uint64(1)
