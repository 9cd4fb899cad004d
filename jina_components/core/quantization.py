"""Smaller forms of vectors, and exact search over them (numpy).

    storage type       bytes for d dimensions   form
    float32, float16   4 d, 2 d
    int8, uint8        d                        256 even steps over a range; int8 is uint8 - 128
    binary, ubinary    d / 8                    sign bits, most significant first; binary is ubinary - 128, as int8

A row's codes depend on that row and on the ranges given, never on its neighbours in a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from jina_components.core.inputs import check_count
from jina_components.core.names import resolve_name
from jina_components.core.vectors import top_indices
from jina_components.errors import InputError
from jina_components.types import StorageType

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from jina_components.types import FloatArray

    Codes: TypeAlias = NDArray[Any]

DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "int8": np.dtype(np.int8),
    "uint8": np.dtype(np.uint8),
    "binary": np.dtype(np.int8),
    "ubinary": np.dtype(np.uint8),
}
_UNSIGNED: dict[StorageType, StorageType] = {"int8": "uint8", "binary": "ubinary"}  # the form without the offset of 128

# Half the width of the range without `ranges`, times √d. On SciFact (BEIR; 5183 documents, 809 queries), of clips
# from 2 to √d, 6 keeps most where single dimensions stand out and next to most where none does:
#   against float32           nDCG@10   top 10 shared   mean, least cosine    widest component
#   static-minilm-v1, 256 d    100.1%           98.7%      0.99990, 0.988              8.7 / √d
#   all-MiniLM-L6-v2, 384 d    100.0%           99.2%      0.99991, 0.99989            5.5 / √d
CLIP = 6.0
_LONGEST = 1.01  # of a unit vector, after rounding to float16
_BLOCK_BYTES = 1 << 20  # scored at once, which stays in a core's own cache


def quantize(vectors: ArrayLike, storage_type: StorageType, *, ranges: ArrayLike | None = None) -> Codes:
    """Codes of vectors in `storage_type`.

    Args:
        vectors: Real numbers, shape [n, d] or [d].
        storage_type: See the module; binary forms keep whether a component is above 0.
        ranges: For int8 and uint8, of `calibrate`: least and greatest value of each dimension, shape [2, d];
            what lies outside is clipped. Without them the range is ±6/√d, which suits vectors of unit length
            with no dimension far wider than the rest; inner products of int8 codes then rank as the vectors do.

    Returns:
        Array of the type's dtype, shape [n, width] or [width].

    Raises:
        InputError: a row with NaN or infinity, too large for float16, or longer than 1 without `ranges`
            (`.index` names it); dimensions that are no multiple of 8 for a binary type; ranges of another shape.
        UnknownNameError: unknown storage type.
    """
    dtype = _dtype(storage_type)
    if storage_type in _UNSIGNED:
        return _shift(quantize(vectors, _UNSIGNED[storage_type], ranges=ranges)).view(np.int8)
    rows = _as_rows(vectors, what="vectors")
    if storage_type == "ubinary":
        _check_whole_bytes(rows.shape[-1])
        return np.packbits(rows > 0, axis=-1)
    if storage_type == "uint8":
        return _steps(rows, ranges)
    with np.errstate(over="ignore"):
        codes = rows.astype(dtype, copy=False)
    _refuse_rows(~np.isfinite(codes), "is beyond float16 (65504): normalize the vectors or use float32")
    return codes


def dequantize(codes: Codes, storage_type: StorageType, *, ranges: ArrayLike | None = None) -> FloatArray:
    """Vectors that `codes` stand for: the middle of their step, or ±1/√d for a sign.

    Args:
        codes: Of `quantize`, shape [n, width] or [width].
        storage_type: The type they were made with.
        ranges: The ranges they were made with.

    Raises:
        InputError: codes of another dtype, or ranges of another shape.
        UnknownNameError: unknown storage type.
    """
    if codes.dtype != _dtype(storage_type):
        raise InputError(f"{storage_type} codes are of dtype {DTYPES[storage_type]}, got {codes.dtype}.")
    if storage_type in _UNSIGNED:
        return dequantize(_shift(codes.view(np.uint8)), _UNSIGNED[storage_type], ranges=ranges)
    if storage_type == "ubinary":
        signs = np.unpackbits(codes, axis=-1).astype(np.float32)
        return (signs * 2 - 1) / np.float32(max(signs.shape[-1], 1) ** 0.5)
    if storage_type == "uint8":
        least, greatest = _ranges(ranges, codes.shape[-1])
        return codes * ((greatest - least) / np.float32(255)) + least
    return codes.astype(np.float32, copy=False)


def calibrate(vectors: ArrayLike) -> FloatArray:
    """Least and greatest value of each dimension of a sample, shape [2, d]: the `ranges` of the other functions.

    Keep them with the codes: codes made with other ranges do not compare.

    Raises:
        InputError: no rows, or a row with NaN or infinity.
    """
    rows = _as_rows(vectors, what="vectors")
    if rows.ndim != 2 or not len(rows):
        raise InputError(f"calibrate needs vectors of shape [n, d] with n >= 1, got {list(rows.shape)}.")
    return np.stack([rows.min(axis=0), rows.max(axis=0)])


def hamming_distances(code: Codes, codes: Codes) -> NDArray[np.int64]:
    """Number of bits in which binary or ubinary `codes`, shape [n, width], differ from `code`, shape [width].

    Raises:
        InputError: codes of two types or widths, or of no bytes.
    """
    if code.dtype != codes.dtype or codes.dtype.itemsize != 1 or code.shape[-1] != codes.shape[-1]:
        raise InputError(
            f"Codes of one binary type and width compare, got {code.dtype} {list(code.shape)} "
            f"and {codes.dtype} {list(codes.shape)}."
        )
    # The offset of the signed form is one bit flipped in both, so the bytes compare as they are.
    query, rows = (np.ascontiguousarray(array).view(np.uint8) for array in (code, codes))
    if query.shape[-1] % 8 == 0:
        query, rows = query.view(np.uint64), rows.view(np.uint64)
    count = getattr(np, "bitwise_count", _count_by_table)  # which numpy has from 2.0 on
    # A product with ones, exact in float32, takes a fifth of the time of a sum over so short an axis.
    bits = count(rows ^ query).astype(np.float32)
    return (bits @ np.ones(bits.shape[-1], np.float32)).astype(np.int64)


def search_quantized(
    query: ArrayLike,
    codes: Codes,
    storage_type: StorageType,
    *,
    top_k: int = 10,
    ranges: ArrayLike | None = None,
    rescore_with: Codes | None = None,
    oversample: int | None = 4,
) -> list[tuple[int, float]]:
    """The `top_k` rows most similar to `query`, as (row, similarity), best first; ties by row.

    Two steps (Yamada et al. 2021; Shakir, Aarsen & Lee 2024): the codes give `oversample * top_k` candidates,
    binary ones by Hamming distance, others by the inner product with the float query; then the candidates are
    ranked by the inner product of the float query with finer rows. Every row is looked at. On SciFact, binary
    codes keep this share of float32's nDCG@10 (`benchmarks/quality/storage_types.py`):

        model, dimensions        one step   with `codes`   with int8, oversample=4   oversample=10
        static-minilm-v1, 256         78%            90%                       96%             98%
        all-MiniLM-L6-v2, 384         90%            95%                       99%            100%

    Args:
        query: Not quantized, shape [d]; of unit length for similarities that are cosines.
        codes: Of `quantize`, shape [n, width].
        storage_type: The type they were made with.
        top_k: How many to return.
        ranges: The ranges that int8 or uint8 codes were made with, in `codes` or in `rescore_with`.
        rescore_with: The same rows in a finer form for the second step: float32, float16, int8 or uint8,
            shape [n, d]; may be a `numpy.memmap`, of which only the candidates are read. None takes `codes`
            themselves, which is what Yamada et al. do with binary ones.
        oversample: Candidates for each result; None leaves the second step out.

    Raises:
        InputError: shapes or dtypes that do not fit together, NaN or infinity, or a count below 1.
        UnknownNameError: unknown storage type.
    """
    _dtype(storage_type)
    check_count(top_k, what="top_k")
    vector = _as_rows(query, what="query")
    _check_search(vector, codes, storage_type, rescore_with)
    scores = _code_scores(vector, codes, storage_type, ranges)
    if oversample is None:
        return _best(scores, np.arange(len(codes)), top_k)
    check_count(oversample, what="oversample")
    candidates = np.array([row for row, _ in _best(scores, np.arange(len(codes)), top_k * oversample)], np.int64)
    candidates.sort()  # so that ties are broken by row, and a file is read in order
    if rescore_with is None:
        finer = dequantize(codes[candidates], storage_type, ranges=ranges)
    else:
        rows = np.asarray(rescore_with[candidates])
        finer = dequantize(rows, rows.dtype.name, ranges=ranges)  # type: ignore[arg-type]  # checked above
    return _best(_products(finer, vector), candidates, top_k)


def _code_scores(vector: FloatArray, codes: Codes, storage_type: StorageType, ranges: ArrayLike | None) -> FloatArray:
    """Cosine of the signs for binary codes, inner product for others; shape [n]."""
    score: Callable[[Codes], NDArray[Any]]
    if storage_type in ("binary", "ubinary"):
        code, row_bytes = quantize(vector, storage_type), codes.shape[1]

        def score(block: Codes) -> NDArray[Any]:
            return 1 - hamming_distances(code, block) * (2 / len(vector))
    else:
        (weights, constant), row_bytes = _linear(vector, storage_type, ranges), codes.shape[1] * 4

        def score(block: Codes) -> NDArray[Any]:
            return _products(block.astype(np.float32, copy=False), weights) + constant

    scores = np.empty(len(codes), np.float32)
    step = max(_BLOCK_BYTES // max(row_bytes, 1), 1)
    for start in range(0, len(codes), step):
        scores[start : start + step] = score(codes[start : start + step])
    return scores


def _linear(vector: FloatArray, storage_type: StorageType, ranges: ArrayLike | None) -> tuple[FloatArray, float]:
    """Weights and a constant: `codes @ weights + constant` is the product of what codes stand for with `vector`."""
    if storage_type not in ("int8", "uint8"):
        return vector, 0.0
    least, greatest = _ranges(ranges, len(vector))
    step = (greatest - least) / np.float32(255)
    offset = 128 if storage_type == "int8" else 0
    return vector * step, float(vector @ (least + offset * step))


def _products(rows: FloatArray, vector: FloatArray) -> FloatArray:
    # Equal rows must score equally wherever they stand, which a product by BLAS does not give.
    return np.einsum("nd,d->n", rows, vector)


def _best(scores: FloatArray, rows: NDArray[np.int64], top_k: int) -> list[tuple[int, float]]:
    """The highest `scores` with their `rows`, shape [n] each."""
    if not np.isfinite(scores).all():
        index = int(rows[~np.isfinite(scores)][0])
        raise InputError(f"Row {index} has no finite similarity to the query: its vector is damaged.", index)
    return [(int(rows[at]), float(scores[at])) for at in top_indices(scores, top_k)]


def _steps(rows: FloatArray, ranges: ArrayLike | None) -> NDArray[np.uint8]:
    least, greatest = _ranges(ranges, rows.shape[-1])
    if ranges is None:
        with np.errstate(over="ignore"):
            too_long = np.linalg.norm(rows, axis=-1, keepdims=True) > _LONGEST
        _refuse_rows(too_long, "is longer than 1: normalize the vectors, or pass ranges=calibrate(sample)")
    width = greatest - least
    fractions = np.clip(rows, least, greatest)
    fractions -= least
    fractions /= np.where(width > 0, width, np.float32(1))
    fractions *= 255
    return np.rint(fractions, out=fractions).astype(np.uint8)


def _ranges(ranges: ArrayLike | None, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Least and greatest value of each dimension, float32, shape [d] each."""
    if ranges is None:
        # 255 steps around the code 128 (0 of int8), which stands for 0.
        step = min(CLIP / max(dimensions, 1) ** 0.5, 1) / 127
        bounds = np.array([-128 * step, 127 * step], np.float32)
        return np.full(dimensions, bounds[0]), np.full(dimensions, bounds[1])
    given = _as_rows(ranges, what="ranges")
    with np.errstate(over="ignore"):
        if given.shape != (2, dimensions) or not np.isfinite(given[1] - given[0]).all() or (given[0] > given[1]).any():
            raise InputError(
                f"ranges must be least and greatest values of shape [2, {dimensions}], as calibrate gives them; "
                f"got shape {list(given.shape)} or a least value above its greatest."
            )
    return given[0], given[1]


def _as_rows(vectors: ArrayLike, *, what: str) -> FloatArray:
    """`vectors` as finite float32, shape [n, d] or [d]."""
    try:
        given = np.asarray(vectors)
    except ValueError as error:
        raise InputError(f"{what} must be an array of numbers: {error}.") from error
    if given.dtype.kind not in "fiu" or given.ndim not in (1, 2):
        raise InputError(
            f"{what} must hold real numbers in shape [n, d] or [d], got {given.dtype} {list(given.shape)}."
        )
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is refused as such
        rows = given.astype(np.float32, copy=False)
    _refuse_rows(~np.isfinite(rows), "holds NaN or infinity: its text must be embedded again", what=what)
    return rows


def _refuse_rows(bad: NDArray[np.bool_], reason: str, *, what: str = "vectors") -> None:
    """Raise for the first row of `bad`, shape [n, d] or [d], that is not all False."""
    if bad.any():
        index = int(bad.any(axis=-1).argmax()) if bad.ndim == 2 else None
        name = what if index is None else f"{what}[{index}]"
        raise InputError(f"{name} {reason}.", index)


def _check_whole_bytes(dimensions: int) -> None:
    if dimensions % 8:
        raise InputError(
            f"Binary types pack 8 dimensions into a byte, and {dimensions} is no multiple of 8: "
            f"choose dimensions={max(dimensions // 8 * 8, 8)} when embedding."
        )


def _check_search(vector: FloatArray, codes: Codes, storage_type: StorageType, rescore_with: Codes | None) -> None:
    binary = storage_type in ("binary", "ubinary")
    if vector.ndim != 1:
        raise InputError(f"query must be one vector of shape [d], got {list(vector.shape)}.")
    if binary:
        _check_whole_bytes(len(vector))
    width = len(vector) // 8 if binary else len(vector)
    if codes.ndim != 2 or codes.shape[1] != width or codes.dtype != DTYPES[storage_type]:
        raise InputError(
            f"{storage_type} codes for a query of {len(vector)} dimensions have shape [n, {width}] and dtype "
            f"{DTYPES[storage_type]}, got {list(codes.shape)} and {codes.dtype}."
        )
    if rescore_with is not None and (
        rescore_with.shape != (len(codes), len(vector)) or rescore_with.dtype.name not in DTYPES
    ):
        raise InputError(
            f"rescore_with must have shape {[len(codes), len(vector)]} and dtype float32, float16, int8 or uint8, "
            f"got {list(rescore_with.shape)} and {rescore_with.dtype}."
        )


def _dtype(storage_type: str) -> np.dtype[Any]:
    return resolve_name(DTYPES, storage_type, what="storage type")


def _shift(codes: NDArray[Any]) -> NDArray[np.uint8]:
    """Bytes less 128, or plus 128, which is the same in two's complement."""
    return codes ^ np.uint8(0x80)


def _count_by_table(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Set bits of each byte, for numpy before 2.0."""
    return _BITS[values.view(np.uint8)]


_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)
