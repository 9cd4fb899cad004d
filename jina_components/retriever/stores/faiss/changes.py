"""Putting and deleting documents, as part of a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from jina_components.filters import Filter, matches
from jina_components.retriever.multi_vector import Tokens, encode_tokens
from jina_components.retriever.stores.common import check_width
from jina_components.retriever.stores.faiss.engine import Change
from jina_components.retriever.stores.faiss.records import Head, insert, mark_deleted, metadata_after
from jina_components.retriever.stores.faiss.vectors import VectorFiles
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray


def encode_batch(documents: Sequence[Document], token_vectors: Sequence[FloatArray] | None) -> Tokens:
    """The token vectors of documents, as they are stored.

    Matrices without columns, as `FaissStore.get_token_vectors` gives them where there are none, mean none too.

    Raises:
        InputError: a matrix that `encode_tokens` refuses.
    """
    if token_vectors is None or not any(np.shape(matrix) != (0, 0) for matrix in token_vectors):
        return Tokens.none(len(documents))
    return encode_tokens(token_vectors)


def put(
    change: Change,
    files: VectorFiles,
    documents: Sequence[Document],
    vectors: FloatArray | None,
    tokens: Tokens,
    *,
    stemming: str | None,
) -> None:
    """Add documents, replacing those of the same id.

    Args:
        change: The change.
        files: Where the vectors go.
        documents: The documents.
        vectors: Their vectors, checked.
        tokens: Their token vectors.
        stemming: Language whose endings the lexical index cuts, if these are the first documents.

    Raises:
        InputError: vectors of another width than those held, or none where those held have some, or the reverse.
        OSError: the disk failed or is full.
    """
    head = _fitting(change, 0 if vectors is None else vectors.shape[1], tokens.codes.shape[1])
    mark_deleted(change.connection, head.number + 1, ids=(document.id for document in documents))
    if not head.slots:
        generation = files.make(head.generation, with_tokens=bool(head.token_dimensions))
        head = replace(head, generation=generation, checkpoint=None, stemming=stemming)
    if vectors is not None:
        files.vectors.write(head.generation, head.slots, vectors)
    files.tokens.write(head.generation, head.tokens, tokens.codes)
    insert(change.connection, head.next_row, documents, vectors, tokens)
    head = replace(
        head,
        slots=head.slots + len(documents),
        next_row=head.next_row + len(documents),
        tokens=head.tokens + len(tokens.codes),
    )
    change.write(head)


def _fitting(change: Change, dimensions: int, token_dimensions: int) -> Head:
    """The head that vectors of these widths can be added to; where all documents were deleted, any can."""
    held, held_tokens = change.head.dimensions, change.head.token_dimensions
    if (held, held_tokens) != (dimensions, token_dimensions) and (held is None or not change.state.num_held):
        change.connection.execute("DELETE FROM documents")
        return replace(change.head, slots=0, dimensions=dimensions, tokens=0, token_dimensions=token_dimensions)
    check_width(dimensions, held)
    check_width(token_dimensions, held_tokens, "token vectors")
    return change.head


def delete_ids(change: Change, ids: Sequence[str]) -> int:
    """Delete documents by id; how many were there."""
    return _deleted(change, mark_deleted(change.connection, change.head.number + 1, ids=ids))


def delete_matching(change: Change, filter: Filter, rows: Sequence[int], last: int) -> int:
    """Delete documents that match; how many there were.

    Args:
        change: The change.
        filter: What they match.
        rows: Those that do, up to the row `last`.
        last: Later ones are looked at.
    """
    later = [row for row, metadata in metadata_after(change.connection, last) if matches(metadata, filter)]
    return _deleted(change, mark_deleted(change.connection, change.head.number + 1, rows=[*rows, *later]))


def _deleted(change: Change, count: int) -> int:
    if count:
        change.write(change.head)
    return count
