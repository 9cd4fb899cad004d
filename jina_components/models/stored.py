"""The stored form of small models: matrices of few bits with float scales beside them, in one safetensors file.

A matrix `X.weight` of shape [rows, columns] comes with `X.weight_scale` of shape [rows, groups], names that
compressed-tensors uses: a number is its stored value times the scale of its row and group of columns. Values are I8,
or U8 that holds two: the even column's in the lower half, the odd one's in the upper, each more by 8 than it means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from jina_components.errors import ConfigError, ModelFilesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

SCALE = "_scale"
"""What the name of a matrix's scales adds to its own."""
WORD_GROUP = 32
"""Columns of the word table that share a scale."""
# Of the step that just reaches a group's farthest value: a smaller one cuts that and rounds all others more finely.
_SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
_FEW_BITS = ("I8", "U8")
_LARGEST_HEADER = 100_000_000  # as safetensors has it

Quantized: TypeAlias = "tuple[NDArray[Any], NDArray[np.floating[Any]]]"
"""Values and scales."""


class Span(NamedTuple):
    """Where a file keeps a tensor.

    Attributes:
        dtype: As safetensors names it ("F32", "I8" …).
        shape: Sizes.
        start: Its first byte in the file.
        length: Bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    length: int


def write_stored(tensors: Mapping[str, FloatArray], path: Path) -> None:
    """Write a checkpoint's tensors: the word table in 4 bits, matrices in 8, small tables and the rest as they are.

    Args:
        tensors: float32, by name.
        path: The file.

    Raises:
        ConfigError: numbers that are not finite, or a word table whose columns are no multiple of WORD_GROUP.
    """
    stored: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        numbers = np.asarray(tensor, np.float32, order="C")
        if not np.isfinite(numbers).all():
            raise ConfigError(f"{name} holds numbers that are not finite: it cannot be stored.")
        quantize = next((form for pattern, form in _FORMS if re.search(pattern, name)), None)
        if quantize is None or numbers.ndim != 2:
            stored[name] = numbers
        else:
            stored[name], stored[name + SCALE] = quantize(numbers)
    save_file(stored, path)


def round_words(matrix: FloatArray) -> FloatArray:
    """A word table as it comes back from where `write_stored` puts it; stored again, it does not change.

    Raises:
        ConfigError: its columns are no multiple of WORD_GROUP.
    """
    values, scale = _int4_groups(np.ascontiguousarray(matrix, np.float32))
    grouped = _nibbles(values).reshape(*scale.shape, -1) * scale.astype(np.float32)[..., None]
    return grouped.reshape(matrix.shape)


def read_stored(path: Path) -> dict[str, FloatArray]:
    """Tensors by name, float32, whatever form they are stored in.

    Raises:
        ModelFilesError: unreadable, or values and scales do not fit; says which.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, KeyError, TypeError, AttributeError) as error:  # the last: types numpy lacks
        raise ModelFilesError(f"{path} cannot be read: {error}.") from error
    matrices = [name for name in tensors if name + SCALE in tensors]
    scales = {name: tensors.pop(name + SCALE) for name in matrices}
    numbers = {}
    for name, values in tensors.items():
        scale = scales.get(name)
        if (scale is not None) != (values.dtype in _VALUES):
            raise ModelFilesError(
                f"{path}: {name} is {values.dtype} {'with' if scale is not None else 'without'} scales."
            )
        numbers[name] = values.astype(np.float32) if scale is None else _dequantize(path, name, values, scale)
    return numbers


def read_spans(path: Path) -> dict[str, Span]:
    """Where a safetensors file keeps its tensors, by name.

    Raises:
        ModelFilesError: no such file.
    """
    header, offset = _read_header(path)
    try:
        rows = {name: row for name, row in json.loads(header).items() if name != "__metadata__"}
        ends = {name: tuple(row["data_offsets"]) for name, row in rows.items()}
        return {
            name: Span(row["dtype"], tuple(row["shape"]), offset + ends[name][0], ends[name][1] - ends[name][0])
            for name, row in rows.items()
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelFilesError(f"{path} cannot be read: it is no safetensors file ({error}).") from error


def is_stored(path: Path) -> bool:
    """Whether a safetensors file holds a matrix of few bits and its scales; raises as `read_spans`."""
    spans = read_spans(path)
    return any(span.dtype in _FEW_BITS and name + SCALE in spans for name, span in spans.items())


def _read_header(path: Path) -> tuple[bytes, int]:
    """The header, and the byte that follows it."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = file.read(length) if length <= _LARGEST_HEADER else b""
    except OSError as error:
        raise ModelFilesError(f"{path} cannot be read: {error}.") from error
    if len(header) != length:
        raise ModelFilesError(f"{path} cannot be read: it is no safetensors file, or cut off.")
    return header, 8 + length


def _dequantize(path: Path, name: str, values: NDArray[Any], scale: NDArray[Any]) -> FloatArray:
    matrix = _VALUES[values.dtype](values)
    fits = matrix.ndim == scale.ndim == 2 and len(matrix) == len(scale) and matrix.size and scale.size
    if not fits or matrix.shape[1] % scale.shape[1]:
        raise ModelFilesError(f"{path}: {name} is {values.shape}, to which scales of {scale.shape} do not fit.")
    grouped = matrix.reshape(*scale.shape, -1) * scale.astype(np.float32)[..., None]
    return grouped.reshape(matrix.shape)


def _int8_rows(matrix: FloatArray) -> Quantized:
    scale = _positive(np.abs(matrix).max(1, keepdims=True) / 127)
    return np.round(matrix / scale).astype(np.int8), scale


def _int4_groups(matrix: FloatArray) -> Quantized:
    """Of some steps for each group, that of the smallest squared error; with a negative one, -8 is a positive end."""
    rows, columns = matrix.shape
    if columns % WORD_GROUP:
        raise ConfigError(f"A word table of {columns} columns cannot be stored: it takes a multiple of {WORD_GROUP}.")
    groups = matrix.reshape(rows, -1, WORD_GROUP)
    farthest = np.take_along_axis(groups, np.abs(groups).argmax(-1)[..., None], -1)
    values, scale = _rounded(groups, (np.abs(farthest) / 7).astype(np.float32))
    error = _squared_error(groups, values, scale)
    for shrink in _SHRINKS:
        others = _rounded(groups, (farthest * (shrink / -8)).astype(np.float32))
        other_error = _squared_error(groups, *others)
        better = other_error < error
        values, scale = np.where(better, others[0], values), np.where(better, others[1], scale)
        error = np.minimum(error, other_error)
    shifted = (values + 8).astype(np.uint8).reshape(rows, -1, 2)
    return shifted[..., 0] | shifted[..., 1] << 4, scale[..., 0]


def _rounded(groups: FloatArray, scale: FloatArray) -> Quantized:
    """Values of 4 bits, and the scale in the 16 bits that it is stored in."""
    half = _positive(scale).astype(np.float16)
    half[half == 0] = np.float16(1)
    return np.clip(np.round(groups / half.astype(np.float32)), -8, 7), half


def _squared_error(groups: FloatArray, values: FloatArray, scale: NDArray[Any]) -> FloatArray:
    error: FloatArray = ((values * scale.astype(np.float32) - groups) ** 2).sum(-1, keepdims=True)
    return error


def _positive(scale: FloatArray) -> FloatArray:
    """1 where it is 0."""
    return np.where(scale == 0, np.float32(1), scale).astype(np.float32)


def _nibbles(values: NDArray[Any]) -> NDArray[np.int8]:
    pairs = np.stack([values & 15, values >> 4], axis=-1).astype(np.int8) - np.int8(8)
    return pairs.reshape(*values.shape[:-1], -1)


# How matrices are stored, by the first pattern that their name has; others stay float32, as do vectors.
_FORMS: tuple[tuple[str, Callable[[FloatArray], Quantized] | None], ...] = (
    (r"word_embeddings\.weight$", _int4_groups),
    (r"embeddings\.weight$|^classifier\.", None),
    (r"\.weight$", _int8_rows),
)
_VALUES: dict[np.dtype[Any], Callable[[NDArray[Any]], NDArray[np.int8]]] = {
    np.dtype(np.int8): lambda values: values,
    np.dtype(np.uint8): _nibbles,
}
