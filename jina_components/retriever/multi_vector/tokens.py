"""Vectors of tokens as they are stored, and MaxSim over them.

A vector of d dimensions takes d bytes: its int8 codes (`core.quantization`), which need no training, so that a file
of them only ever grows. On SciFact (BEIR; 5,183 documents cut to 112 tokens, 579,602 vectors; 200 of its training
claims) by the token states of all-MiniLM-L6-v2, projected at random to 128 dimensions:

    form                        bytes a vector   top 10 of float32 kept   nDCG@10
    float32                                512                   100.0%     .6534
    float16                                256                   100.0%     .6534
    int8                                   128                    99.5%     .6534
    4 bits, even steps                      64                    96.9%     .6490
    2 bits, steps of Lloyd–Max              32                    88.6%     .6446

float16 is no faster either: numpy takes three times as long to make float32 of it as to make it of int8.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jina_components.core.quantization import dequantize, quantize
from jina_components.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

# Vectors multiplied at a time: 1 MB as float32, which stays in a core's own cache. Of 512 to 8,192 the fastest, 130 ns
# a vector for a query of 24; a document at a time takes 190, documents padded to one length 160.
_BLOCK = 2048
_MAX_CELLS = 1 << 22  # products held at once (16 MB), however long the query
_LONGEST = np.float32(1.009)  # that `quantize` takes for a unit vector, and a little less


class Tokens(NamedTuple):
    """Token vectors of documents, as they are stored.

    Attributes:
        codes: Of one document after another, shape [all tokens, dimensions].
        counts: How many vectors each document has, shape [documents].
    """

    codes: NDArray[np.int8]
    counts: NDArray[np.int64]

    @classmethod
    def none(cls, documents: int) -> Tokens:
        """Of documents that have none."""
        return cls(np.zeros((0, 0), np.int8), np.zeros(documents, np.int64))


def encode_tokens(matrices: Sequence[FloatArray]) -> Tokens:
    """The bytes of documents, to be written behind those of earlier ones.

    Args:
        matrices: Unit vectors of each document, shape [its tokens, dimensions].

    Raises:
        InputError: no matrix, one of other dimensions than the first, or vectors that are not finite or longer than 1;
            `.index` names the document.
    """
    codes: list[NDArray[np.int8]] = []
    for index, matrix in enumerate(matrices):
        try:
            codes.append(quantize(matrix, "int8"))
        except InputError as error:
            raise InputError(f"token_vectors[{index}]: {error}", index) from error
        if codes[-1].ndim != 2 or not codes[-1].shape[1] or codes[-1].shape[1] != codes[0].shape[1]:
            width = codes[0].shape[1] if index and codes[0].ndim == 2 else "dimensions"
            raise InputError(
                f"token_vectors[{index}] must be of the shape [tokens, {width}], got {list(codes[-1].shape)}.", index
            )
    counts = np.array([len(part) for part in codes], np.int64)
    return Tokens(np.concatenate(codes) if codes else np.zeros((0, 0), np.int8), counts)


def decode_tokens(codes: NDArray[np.int8]) -> FloatArray:
    """What codes stand for, which `encode_tokens` takes and makes the same codes of; shape [tokens, dimensions].

    But for one vector in many thousands, which its rounding made too long: it is shortened.
    """
    vectors = dequantize(codes, "int8")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths / _LONGEST, np.float32(1))


def step(dimensions: int) -> float:
    """What a code of 1 stands for; a code is that many steps."""
    return float(dequantize(np.full(dimensions, 127, np.int8), "int8")[0] / 127)


def token_rows(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the file that hold the vectors of documents, which begin and end there, in their order."""
    counts = ends - begins
    return np.repeat(ends - np.cumsum(counts), counts) + np.arange(counts.sum(), dtype=np.int64)


def max_sims(
    query: FloatArray, tokens: NDArray[np.int8], offsets: NDArray[np.int64], slots: NDArray[np.int64]
) -> FloatArray:
    """MaxSim of a query with documents, as `core.late_interaction.max_sim` of what their codes stand for.

    Args:
        query: Shape [t, dimensions], t >= 1.
        tokens: Codes of all documents, shape [tokens, dimensions].
        offsets: Where each slot's begin, and where the last one's end.
        slots: Documents that have vectors, ascending.

    Returns:
        Shape [len(slots)].
    """
    weights = np.ascontiguousarray(query.T * np.float32(step(query.shape[1])))
    scores = np.empty(len(slots), np.float32)
    ends = np.cumsum(offsets[slots + 1] - offsets[slots])
    for first, end in pairwise(_cuts(ends, max(1, min(_BLOCK, _MAX_CELLS // len(query))))):
        block, begin = slots[first:end], ends[first - 1] if first else 0
        if block[-1] - block[0] == len(block) - 1:
            codes = tokens[offsets[block[0]] : offsets[block[-1] + 1]]
        else:
            codes = np.take(tokens, token_rows(offsets[block], offsets[block + 1]), axis=0)
        starts = np.concatenate([[0], ends[first : end - 1] - begin])
        scores[first:end] = np.maximum.reduceat(codes.astype(np.float32) @ weights, starts, axis=0).sum(axis=1)
    return scores


def _cuts(ends: NDArray[np.int64], size: int) -> list[int]:
    """Where blocks of documents begin and the last ends: of `size` vectors at most, or of one document."""
    cuts = [0]
    while cuts[-1] < len(ends):
        begin = ends[cuts[-1] - 1] if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(ends, begin + size, "right"))))
    return cuts
