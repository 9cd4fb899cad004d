"""Vectors as the wire has them: numbers, base64, bits, bytes."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from jina_components.core.quantization import quantize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

    Encoded: TypeAlias = "NDArray[Any] | list[str]"


def _floats(vectors: FloatArray) -> FloatArray:
    return np.ascontiguousarray(vectors)


def _base64(vectors: FloatArray) -> list[str]:
    """Each row, in base64 of little-endian float32: slices of one buffer."""
    width = vectors.shape[1] * 4
    buffer = memoryview(np.ascontiguousarray(vectors, "<f4").tobytes())
    return [
        b2a_base64(buffer[start : start + width], newline=False).decode("ascii")
        for start in range(0, len(vectors) * width, width)
    ]


ENCODINGS: Mapping[str, Callable[[FloatArray], Encoded]] = {
    "float": _floats,
    "base64": _base64,
    "binary": partial(quantize, storage_type="binary"),
    "ubinary": partial(quantize, storage_type="ubinary"),
    "int8": partial(quantize, storage_type="int8"),
    "uint8": partial(quantize, storage_type="uint8"),
}
"""By name, what makes of vectors of shape [n, d] a value of JSON for each row (arrays are lists of numbers there).

`binary` packs the signs, most significant bit first, into bytes less 128; `ubinary` are these bytes; `int8` and `uint8`
are 256 even steps over ±6/√d, for vectors of unit length."""


def encoded(vectors: FloatArray, encoding: str | Sequence[str]) -> list[Any]:
    """Of each row its value in an encoding; for several encodings an object by their names.

    Raises:
        InputError: dimensions that are no multiple of 8 for a binary encoding.
    """
    if isinstance(encoding, str):
        return list(ENCODINGS[encoding](vectors))
    by_type = {name: ENCODINGS[name](vectors) for name in encoding}
    return [{name: values[row] for name, values in by_type.items()} for row in range(len(vectors))]


def encoded_tokens(vectors: FloatArray, encoding: str | Sequence[str]) -> Any:  # noqa: ANN401 (JSON has no type)
    """The rows of one text likewise, in one value: a list over its tokens, or an object of such lists."""
    if isinstance(encoding, str):
        return ENCODINGS[encoding](vectors)
    return {name: ENCODINGS[name](vectors) for name in encoding}
