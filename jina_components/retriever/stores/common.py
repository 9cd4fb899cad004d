"""Documents as engines keep them, and what every store asks of what is put."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.inputs import as_list
from jina_components.errors import ConfigError, IndexMismatchError, InputError
from jina_components.protocols import Key, RankingKind
from jina_components.retriever.bm25.analysis import Analyzer
from jina_components.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

LOSSES_NOTE = "jina_components.losses"
"""The note of a store that is another after each repair that lost documents."""

STEMMING_NOTE = "jina_components.stemming"
"""The note of the language whose words a store's BM25 reduces to their stems; empty for none."""

_USER = re.compile(r"://[^/?#]*@")
_UNIT_TOLERANCE = 1e-3


def key_of(name: str) -> str:
    """The UUID that stands for a document's id or a note's name: 128 bits of its BLAKE2b, the same in every process."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest))


def to_json(document: Document) -> str:
    """The document as JSON that encodes as UTF-8 without a NUL, whatever its text holds."""
    fields = {"id": document.id, "text": document.text, "metadata": document.metadata}
    text = json.dumps(fields, ensure_ascii=False)
    # Half of a surrogate pair has no UTF-8; escaped, it has a place in JSON.
    return json.dumps(fields) if any("\ud800" <= character <= "\udfff" for character in text) else text


def from_json(text: str) -> Document:
    """The inverse of `to_json`."""
    return Document(**json.loads(text))


def check_documents(
    documents: Sequence[Document], vectors: FloatArray | None, token_vectors: Sequence[FloatArray] | None
) -> FloatArray | None:
    """The vectors as float32, shape [len(documents), dimensions].

    Raises:
        InputError: an id twice, other vectors than one of each document, those of no dimensions, or one that is not of
            unit length; `.index` names it.
    """
    seen: set[str] = set()
    for index, document in enumerate(documents):
        if document.id in seen:
            raise InputError(f"documents[{index}] has the id {document.id!r} of another before it.", index)
        seen.add(document.id)
    if token_vectors is not None and len(token_vectors) != len(documents):
        raise InputError(f"{len(documents)} documents came with the token vectors of {len(token_vectors)}.")
    if vectors is None:
        return None
    matrix = np.asarray(vectors, np.float32)
    if matrix.ndim != 2 or len(matrix) != len(documents) or not matrix.shape[1]:
        raise InputError(f"{len(documents)} documents came with vectors of the shape {matrix.shape}.")
    if wrong := np.flatnonzero(~are_unit(matrix)).tolist():
        raise InputError(f"vectors[{wrong[0]}] is not finite or not of unit length: normalize it.", wrong[0])
    return matrix


def are_unit(vectors: FloatArray) -> NDArray[np.bool_]:
    """Which rows are of unit length, or zero, which no direction is."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("nd,nd->n", vectors, vectors)
        return (np.abs(squares - 1) <= 2 * _UNIT_TOLERANCE) | (squares == 0)


def check_width(got: int | None, held: int | None, what: str = "vectors") -> None:
    """Refuse vectors of another width than those held; None or 0 where there are none.

    Raises:
        InputError: they differ.
    """
    if (got or 0) != (held or 0):
        names = [f"{what} of the width {width}" if width else f"no {what}" for width in (held, got)]
        raise InputError(f"The store holds {names[0]}, got {names[1]}: one model makes all {what} of a store.")


def check_queries(vectors: FloatArray, held: int) -> FloatArray:
    """Vectors of queries as float32, shape [n, held].

    Raises:
        InputError: another shape, or numbers that are not finite.
    """
    queries = np.asarray(vectors, np.float32)
    if queries.ndim != 2 or queries.shape[1] != held:
        raise InputError(f"Queries must be of the width {held} as the vectors held, got the shape {queries.shape}.")
    if not np.isfinite(queries).all():
        raise InputError("A query's vector holds what is no finite number.")
    return queries


def without_password(address: str) -> str:
    """A server's URL, or a path, as it may be shown."""
    return _USER.sub("://", address)


def keys_of(ids: Iterable[str]) -> list[str]:
    """The keys of ids."""
    return [key_of(name) for name in ids]


def known(keys: Iterable[str], there: Container[object]) -> list[Key | None]:
    """The keys, None in place of each that is not there."""
    return [key if key in there else None for key in keys]


def agreed_analyzer(asked: str | None, made_with: str | None, what: str) -> Analyzer:
    """The analyzer of what a store holds.

    Args:
        asked: The `stemming` that the store's object was given; None leaves it to what is held.
        made_with: The `stemming` of what is held.
        what: The name of what holds it, for the message.

    Raises:
        IndexMismatchError: another was asked for.
    """
    if asked not in (None, made_with):
        raise IndexMismatchError(
            f"{what} was made with stemming={made_with!r}, not {asked!r}: open it without saying so, or build it again."
        )
    return Analyzer(stemming=made_with)


def ranking_error(kind: RankingKind, rankings: frozenset[RankingKind]) -> ConfigError:
    """The error for a ranking that a store does not have."""
    return ConfigError(f"This store does not rank by {kind}, only by {', '.join(sorted(rankings))}.")


def require_choice(ids: Sequence[str] | None, filter: object) -> None:
    """Refuse to delete by nothing, which might be meant as everything.

    Raises:
        InputError: neither or both of ids and filter, or ids that are no list.
    """
    if (ids is None) == (filter is None):
        raise InputError("delete takes either ids or filter.")
    if ids is not None:
        as_list(ids, what="ids")
