"""Static token tables in numpy: a text's vector is the weighted mean of its tokens' vectors.

The model family of Model2Vec (Tulkens & van Dongen, 2024): no forward pass, so the floor is tokenization
plus one row of the table a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.errors import ModelFilesError
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

_TABLE_NAMES = ("embeddings", "embedding.weight")


class StaticBackend:
    """A token table.

    Args:
        table: Token vectors, shape [vocabulary, dimensions], of any numeric type; kept as stored.
        weights: float32 weight of each token, shape [vocabulary]; all 1 when the file has none.
    """

    token_budget = 65_536
    padded = False
    precision = "float32"
    device = "cpu"

    def __init__(self, table: NDArray[np.generic], weights: FloatArray | None = None) -> None:
        self._table = table
        self._weights = weights

    @classmethod
    def load(cls, folder: Path) -> StaticBackend:
        """Read `model.safetensors` as model2vec and sentence-transformers write it.

        Raises:
            ModelFilesError: no such file, no table in it, or a mapping or weights that do not fit the table.
        """
        path = folder / "model.safetensors"
        tensors = _read_tensors(path)
        table = next((tensors[name] for name in _TABLE_NAMES if name in tensors), None)
        if table is None or table.ndim != 2:
            raise ModelFilesError(f"{path} holds no token table named {' or '.join(_TABLE_NAMES)}.")
        mapping, weights = tensors.get("mapping"), tensors.get("weights")
        if mapping is not None:  # several tokens share a row
            if mapping.size and not 0 <= mapping.min() <= mapping.max() < len(table):
                raise ModelFilesError(f"{path}: the mapping points outside the table of {len(table)} rows.")
            table = table[mapping]
        if weights is not None and weights.shape != (len(table),):
            raise ModelFilesError(f"{path} holds {weights.shape} weights for {len(table)} tokens.")
        return cls(table, None if weights is None else weights.astype(np.float32))

    @property
    def vocabulary(self) -> int:
        """Number of tokens the table has a vector for."""
        return len(self._table)

    @property
    def width(self) -> int:
        """Dimensions of the vectors."""
        return int(self._table.shape[1])

    def token_vectors(self, ids: NDArray[np.int32]) -> FloatArray:
        """Weighted vectors of tokens, shape [len(ids), dimensions]."""
        vectors = self._table[ids].astype(np.float32)
        return vectors if self._weights is None else vectors * self._weights[ids, None]

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Mean vector of each sequence; zeros for one without tokens."""
        rows = np.zeros((len(batch), self.width), np.float32)
        # Text by text: its vectors fit the cache of a core, and a product sums them faster than `reduceat`.
        for row, sequence in zip(rows, batch, strict=True):
            if len(sequence):
                weights = np.ones(len(sequence), np.float32) if self._weights is None else self._weights[sequence.ids]
                np.matmul(weights / len(sequence), self._table[sequence.ids].astype(np.float32), out=row)
        return rows


# Numeric types of safetensors that numpy has too.
_DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "I16": np.int16,
    "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


def _read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError, deserialize

    try:
        return {name: _array(view) for name, view in deserialize(path.read_bytes())}
    except (OSError, SafetensorError, KeyError) as error:  # the last: a type numpy lacks
        raise ModelFilesError(f"{path} cannot be read: {error}.") from error


def _array(view: dict[str, Any]) -> NDArray[Any]:
    if view["dtype"] == "BF16":  # the upper half of a float32
        flat: NDArray[Any] = (np.frombuffer(view["data"], "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        flat = np.frombuffer(view["data"], _DTYPES[view["dtype"]])
    return flat.reshape(view["shape"])
