"""Vectors of batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from jina_components.types.texts import Usage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float32]


StorageType: TypeAlias = Literal["float32", "float16", "int8", "uint8", "binary", "ubinary"]
"""What a vector's components are kept as; see `quantize`."""


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Vectors of a batch.

    Attributes:
        vectors: float32, shape [number of texts, dimensions], in the order of the input.
        usage: Tokens embedded.
    """

    vectors: FloatArray
    usage: Usage = Usage()

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        return f"Embeddings(shape={self.vectors.shape}, {self.usage!r})"


@dataclass(frozen=True, slots=True, eq=False)
class MultiVectorEmbeddings:
    """Vectors of the tokens of a batch.

    Attributes:
        vectors: Of each text, in the order of the input: float32 rows of unit length, shape [its tokens, dimensions].
        usage: Tokens that ran.
    """

    vectors: tuple[FloatArray, ...]
    usage: Usage = Usage()

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        rows = sum(map(len, self.vectors))
        width = f" of {self.vectors[0].shape[1]} dimensions" if self.vectors else ""
        return f"MultiVectorEmbeddings({len(self)} texts, {rows} vectors{width}, {self.usage!r})"
