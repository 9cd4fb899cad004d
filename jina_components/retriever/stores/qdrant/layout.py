"""The collections of the store in Qdrant: their vectors, a document as a point, a filter as a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.errors import InputError
from jina_components.filters import Filter
from jina_components.retriever.stores import common
from jina_components.retriever.stores.shadow import Compare, Expression, Has, expression, shadow
from jina_components.retriever.stores.sparse import sparse_text
from jina_components.types import Document

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

    from jina_components.types import FloatArray


_MOST_BYTES = 8_000_000  # of a request, by a rough count; Qdrant takes 32 MB
_BYTES_OF_A_NUMBER = 22  # as JSON


@dataclass(frozen=True, slots=True)
class Layout:
    """What vectors a collection is made for.

    Attributes:
        width: Of the documents' vectors; None where there are none.
        token_width: Of their tokens' vectors; None where there are none.
    """

    width: int | None
    token_width: int | None


def layout_of(client: QdrantClient, collection: str) -> Layout | None:
    """What the collection was made for; None where it is not there."""
    if not client.collection_exists(collection):
        return None
    vectors = client.get_collection(collection).config.params.vectors
    widths = {name: of.size for name, of in vectors.items()} if isinstance(vectors, dict) else {}
    return Layout(widths.get("dense"), widths.get("tokens"))


def create_documents(client: QdrantClient, collection: str, layout: Layout, *, is_server: bool) -> Layout:
    """Make the collection; what it is made for, perhaps by another process a moment earlier."""
    from qdrant_client import models

    vectors = {}
    if layout.width is not None:
        vectors["dense"] = models.VectorParams(size=layout.width, distance=models.Distance.DOT)
    if layout.token_width is not None:
        vectors["tokens"] = models.VectorParams(
            size=layout.token_width,
            distance=models.Distance.DOT,
            multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
        )
    sparse = {"lexical": models.SparseVectorParams()}
    make(
        client,
        collection,
        lambda: client.create_collection(collection, vectors_config=vectors, sparse_vectors_config=sparse),
    )
    if is_server:  # the imitation has no payload indexes
        lookup = models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=False)
        for field in ("metadata_tokens", "numbers"):
            client.create_payload_index(collection, field, lookup, wait=True)
    return layout_of(client, collection) or layout


def make(client: QdrantClient, name: str, create: Callable[[], object]) -> None:
    """Make a collection, unless it is there or another process makes it at this moment."""
    from qdrant_client.http.exceptions import UnexpectedResponse

    if client.collection_exists(name):
        return
    try:
        create()
    except UnexpectedResponse:
        if not client.collection_exists(name):
            raise


def point(
    document: Document, terms: Sequence[str], vector: FloatArray | None, tokens: FloatArray | None
) -> models.PointStruct:
    """A document as a point."""
    from qdrant_client import models

    flat, text = shadow(document.metadata), sparse_text(terms)
    lexical = models.SparseVector(indices=list(text.weights), values=list(text.weights.values()))
    vectors: dict[str, Any] = {"lexical": lexical}
    if vector is not None:
        vectors["dense"] = vector.tolist()
    if tokens is not None and len(tokens):
        vectors["tokens"] = np.asarray(tokens, np.float32).tolist()
    payload = {
        "document": common.to_json(document),
        "metadata_tokens": flat.tokens,
        "bounds": flat.bounds,
        "numbers": text.numbers,
    }
    return models.PointStruct(id=common.key_of(document.id), vector=vectors, payload=payload)


def batches(points: Iterable[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
    """The points by request, of which Qdrant refuses those that are too long."""
    batch: list[models.PointStruct] = []
    total = 0
    for one in points:
        size = _size(one)
        if batch and total + size > _MOST_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(one)
        total += size
    if batch:
        yield batch


def _size(point: models.PointStruct) -> int:
    """About how many bytes the point has as JSON."""
    vectors: Any = point.vector
    payload = point.payload or {}
    numbers = 2 * len(vectors["lexical"].indices) + len(vectors.get("dense", ())) + len(payload["numbers"])
    numbers += sum(map(len, vectors.get("tokens", ()))) + len(payload["metadata_tokens"]) + 3 * len(payload["bounds"])
    return 2 * len(payload["document"].encode()) + _BYTES_OF_A_NUMBER * numbers


def note(name: str, text: str) -> models.PointStruct:
    """A note as a point."""
    from qdrant_client import models

    return models.PointStruct(id=common.key_of(name), vector={}, payload={"name": name, "text": text})


def has_number(number: int) -> models.Filter:
    """The documents that have a number of `SparseText.numbers`."""
    from qdrant_client import models

    return models.Filter(must=[models.FieldCondition(key="numbers", match=models.MatchValue(value=number))])


def token_width(token_vectors: Sequence[FloatArray] | None) -> int | None:
    """The width of all of them; None where there are none.

    Raises:
        InputError: they have several.
    """
    widths = {np.asarray(matrix).shape[-1] for matrix in token_vectors or () if len(matrix)}
    if len(widths) > 1:
        raise InputError(f"Token vectors must be of one width, got {sorted(widths)}.")
    return widths.pop() if widths else None


def filter_of(filter: Filter | None) -> models.Filter | None:
    """A filter as Qdrant takes it."""
    from qdrant_client import models

    return None if filter is None else models.Filter(must=[_condition(expression(filter))])


def _condition(wanted: Expression) -> models.Condition:
    from qdrant_client import models

    if isinstance(wanted, Has):
        has = models.FieldCondition(key="metadata_tokens", match=models.MatchAny(any=list(wanted.tokens)))
        return models.Filter(must_not=[has]) if wanted.negated else has
    if isinstance(wanted, Compare):
        sides = ("gte", "lte") if wanted.operator == "eq" else (wanted.operator,)
        bounds = models.Range(**dict.fromkeys(sides, wanted.value))
        return models.FieldCondition(key=f"bounds.{wanted.key}", range=bounds)
    parts = [_condition(part) for part in wanted.parts]
    return models.Filter(must=parts) if wanted.every else models.Filter(should=parts)
