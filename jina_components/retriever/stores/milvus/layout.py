"""The collections of the store in Milvus: their fields, a document as a row, a filter as an expression."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jina_components.errors import InputError
from jina_components.retriever.stores import common
from jina_components.retriever.stores.shadow import Compare, Expression, Has, shadow
from jina_components.retriever.stores.sparse import sparse_text
from jina_components.types import Document

if TYPE_CHECKING:
    from pymilvus import CollectionSchema, MilvusClient
    from pymilvus.milvus_client.index import IndexParams

MOST = 16_384  # hits of a search
_MAX_BYTES = 65_535  # of a string
_MAX_ITEMS = 4_096  # of an array
_COMPRESSED = "zlib:"  # which begins no JSON
_KEY_LENGTH = 36  # of a UUID
_OPERATORS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=="}


def documents_schema(client: MilvusClient, width: int | None) -> CollectionSchema:
    """Fields of the collection of documents; `dense` where there are vectors."""
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=_KEY_LENGTH)
    schema.add_field("document", DataType.VARCHAR, max_length=_MAX_BYTES)
    for name in ("metadata_tokens", "numbers"):
        schema.add_field(name, DataType.ARRAY, element_type=DataType.INT64, max_capacity=_MAX_ITEMS)
    schema.add_field("bounds", DataType.JSON)
    schema.add_field("lexical", DataType.SPARSE_FLOAT_VECTOR)
    if width is not None:
        schema.add_field("dense", DataType.FLOAT_VECTOR, dim=width)
    return schema


def documents_indexes(client: MilvusClient, width: int | None, *, is_lite: bool) -> IndexParams:
    """Indexes of the collection of documents; Milvus Lite has none for arrays."""
    indexes = client.prepare_index_params()
    indexes.add_index("lexical", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
    if width is not None:
        indexes.add_index("dense", index_type="AUTOINDEX", metric_type="IP")
    for name in () if is_lite else ("metadata_tokens", "numbers"):
        indexes.add_index(name, index_type="INVERTED")
    return indexes


def notes_schema(client: MilvusClient) -> CollectionSchema:
    """Fields of the collection of notes; Milvus wants a vector in every collection."""
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=_KEY_LENGTH)
    schema.add_field("text", DataType.VARCHAR, max_length=_MAX_BYTES)
    schema.add_field("unused", DataType.FLOAT_VECTOR, dim=2)
    return schema


def notes_indexes(client: MilvusClient) -> IndexParams:
    """Indexes of the collection of notes."""
    indexes = client.prepare_index_params()
    indexes.add_index("unused", index_type="FLAT", metric_type="IP")
    return indexes


def note_row(name: str, text: str) -> dict[str, Any]:
    """A note as a row.

    Raises:
        InputError: it is too long.
    """
    if len(text.encode()) > _MAX_BYTES:
        raise InputError(f"The note {name!r} has {len(text.encode()):,} bytes; Milvus holds {_MAX_BYTES:,}.")
    return {"key": common.key_of(name), "text": text, "unused": [0.0, 1.0]}


def document_row(document: Document, terms: Sequence[str], index: int) -> dict[str, Any]:
    """A document as a row, but for its vector.

    Raises:
        InputError: it is too long for Milvus.
    """
    flat, lexical, text = shadow(document.metadata), sparse_text(terms), packed(document)
    for what, size, most in (
        ("bytes, packed,", len(text.encode()), _MAX_BYTES),
        ("different words", len(lexical.numbers), _MAX_ITEMS),
        ("metadata values", len(flat.tokens), _MAX_ITEMS),
    ):
        if size > most:
            raise InputError(
                f"documents[{index}] has {size:,} {what}, and Milvus holds {most:,}: cut it into chunks, as "
                "`Segmenter` does.",
                index,
            )
    return {
        "key": common.key_of(document.id),
        "document": text,
        "metadata_tokens": flat.tokens,
        "numbers": lexical.numbers,
        "bounds": flat.bounds,
        "lexical": lexical.weights,
    }


def packed(document: Document) -> str:
    """The document as JSON, compressed where that alone is too long for Milvus."""
    text = common.to_json(document)
    if len(text.encode()) <= _MAX_BYTES:
        return text
    return _COMPRESSED + base64.b85encode(zlib.compress(text.encode())).decode()


def unpacked(text: str) -> Document:
    """The inverse of `packed`."""
    if text.startswith(_COMPRESSED):
        text = zlib.decompress(base64.b85decode(text.removeprefix(_COMPRESSED))).decode()
    return common.from_json(text)


def one_of(keys: Sequence[str]) -> str:
    """The expression of documents with one of these keys, which are UUIDs."""
    return f"key in [{', '.join(map(_quoted, keys))}]"


def has_number(number: int) -> str:
    """The expression of documents that have a number of `SparseText.numbers`."""
    return f"array_contains(numbers, {number})"


def condition(wanted: Expression) -> str:
    """A filter as Milvus's expression: of whole numbers, doubles and hexadecimal digits alone."""
    if isinstance(wanted, Has):
        has = f"array_contains_any(metadata_tokens, {list(wanted.tokens)})"
        return f"not {has}" if wanted.negated else has
    if isinstance(wanted, Compare):
        return f"bounds[{_quoted(wanted.key)}] {_OPERATORS[wanted.operator]} {wanted.value!r}"
    return (" and " if wanted.every else " or ").join(f"({condition(part)})" for part in wanted.parts)


def _quoted(name: str) -> str:
    return f'"{name}"'
