"""Texts that run as several chunks: every chunk once, and the best of each text's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from jina_components.errors import JinaComponentsError
from jina_components.models.runner import JobResult
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

Chunks: TypeAlias = Sequence[Sequence[TokenSequence]]
"""Of each text its chunks."""
Key: TypeAlias = tuple[bytes, ...]
"""A chunk's token ids, segments and images."""
DistinctChunks: TypeAlias = Mapping[Key, TokenSequence]


def distinct_chunks(chunks: Chunks) -> DistinctChunks:
    """Every chunk once: in two rows of a batch the scores of equal ones could differ by a rounding, and not tie."""
    return {_key(chunk): chunk for parts in chunks for chunk in parts}


def _key(chunk: TokenSequence) -> Key:
    types = b"" if chunk.type_ids is None else chunk.type_ids.tobytes()
    return chunk.ids.tobytes(), types, *(image.digest for image in chunk.images)


def count_tokens(distinct: DistinctChunks) -> int:
    """Tokens of all."""
    return sum(map(len, distinct.values()))


def chunk_errors(chunks: Chunks, distinct: DistinctChunks, result: JobResult) -> dict[int, JinaComponentsError]:
    """What documents or pairs failed with; one fails with any of its chunks.

    Raises:
        JinaComponentsError: all failed alike, which is the model's fault rather than theirs.
    """
    by_chunk = {key: result.errors[place] for place, key in enumerate(distinct) if place in result.errors}
    failed = [[by_chunk[key] for chunk in parts if (key := _key(chunk)) in by_chunk] for parts in chunks]
    errors = {index: several[0] for index, several in enumerate(failed) if several}
    if errors and len(errors) == sum(map(bool, chunks)) and len({*map(_kind, errors.values())}) == 1:
        raise errors[min(errors)]
    return errors


def _kind(error: BaseException) -> tuple[type, type]:
    return type(error), type(error.__cause__)


def best_rows(
    chunks: Chunks, distinct: DistinctChunks, rows: NDArray[Any], *, by: NDArray[Any] | None = None
) -> NDArray[Any]:
    """The row of each document's best chunk, NaN where there is none (MaxP, Dai & Callan 2019).

    Args:
        chunks: Of each document.
        distinct: All of them, each once.
        rows: By their order there.
        by: What is highest for the best; the rows themselves if None.
    """
    by = rows if by is None else by
    place = {key: number for number, key in enumerate(distinct)}
    best = np.full((len(chunks), *rows.shape[1:]), np.nan, rows.dtype)
    for number, parts in enumerate(chunks):
        if parts:
            best[number] = rows[max((place[_key(chunk)] for chunk in parts), key=by.__getitem__)]
    return best
