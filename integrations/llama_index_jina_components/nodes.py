"""Nodes, filters and hits, from LlamaIndex's to ours and back."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from llama_index.core.schema import BaseNode, ImageNode, NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from jina_components.errors import InputError
from jina_components.filters import Field, Filter, FilterLike, as_filter
from jina_components.filters.typed import join_path
from jina_components.types import Document, Image, ScoredDocument

_NODE = "_node_content"
_NODE_ID = "_node_id"
_SOURCE_ID = "ref_doc_id"
_OFFSETS = ["start", "end"]


def node_to_document(node: BaseNode) -> Document:
    """Our document of a node: its text and metadata, and beside these the node itself, for `document_to_node`.

    Raises:
        InputError: metadata that are not JSON.
    """
    described = node_to_metadata_dict(node, remove_text=True)
    # An empty list is as good as none to a filter of LlamaIndex (`is_empty`); the node itself keeps it.
    metadata = {name: value for name, value in described.items() if value != []}
    return Document(node.get_content(), node.node_id, {**metadata, _NODE_ID: node.node_id})


def document_to_node(document: Document) -> BaseNode:
    """The node that `node_to_document` has put into a document, or one of a document of ours.

    Of a chunk, `start` and `end` among its metadata are its offsets, and `source` is the node it comes from.
    """
    metadata = dict(document.metadata)
    if _NODE in metadata:
        return metadata_dict_to_node(metadata, text=document.text)
    source = metadata.get("source")
    return TextNode(
        id_=document.id,
        text=document.text,
        metadata=metadata,
        start_char_idx=metadata.get("start"),
        end_char_idx=metadata.get("end"),
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=source)} if isinstance(source, str) else {},
        excluded_embed_metadata_keys=_OFFSETS,
        excluded_llm_metadata_keys=_OFFSETS,
    )


def hit_to_node(hit: ScoredDocument) -> NodeWithScore:
    """A hit as a node with its score."""
    return NodeWithScore(node=document_to_node(hit.document), score=float(hit.score))


def to_image(image: str | os.PathLike[str] | bytes | BytesIO | ImageNode) -> Image:
    """Our image of a path, a URL, bytes, or a node that has one of these."""
    if isinstance(image, ImageNode):
        return Image(base64.b64decode(image.image) if image.image else image.image_path or image.image_url or "")
    if isinstance(image, BytesIO):
        return Image(image.getvalue())
    if isinstance(image, str) and image[:5].lower() == "file:":
        return Image(url2pathname(urlsplit(image).path))
    return Image(image)


# The operators of LlamaIndex as plain filters of ours; by their values, since older versions have fewer.
_TESTS: Mapping[str, Callable[[str, Any], dict[str, Any]]] = {
    "==": lambda field, value: {field: {"$eq": value}},
    "!=": lambda field, value: {field: {"$ne": value}},
    ">": lambda field, value: {field: {"$gt": _ordered(value)}},
    "<": lambda field, value: {field: {"$lt": _ordered(value)}},
    ">=": lambda field, value: {field: {"$gte": _ordered(value)}},
    "<=": lambda field, value: {field: {"$lte": _ordered(value)}},
    "in": lambda field, value: {field: {"$in": value}},
    "nin": lambda field, value: {field: {"$nin": value}},
    "any": lambda field, value: {field: {"$in": value}},
    "all": lambda field, value: {"$and": [{field: {"$eq": each}} for each in value]},
    "contains": lambda field, value: {field: {"$eq": value}},
    "is_empty": lambda field, _: {"$or": [{field: {"$exists": False}}, {field: {"$in": [None, ""]}}]},
}
_JOINS: Mapping[str, Callable[[list[dict[str, Any]]], dict[str, Any]]] = {
    "and": lambda parts: {"$and": parts},
    "or": lambda parts: {"$or": parts},
    "not": lambda parts: {"$not": {"$or": parts}},  # as LlamaIndex's own stores have it: none of them
}


def to_filter(
    filters: MetadataFilters | FilterLike | None,
    *,
    node_ids: Sequence[str] | None = None,
    source_ids: Sequence[str] | None = None,
) -> Filter | None:
    """Our filter of LlamaIndex's, of any depth; one of ours is taken as it is.

    A key is the name of one field, dots included. Dates are compared where the value is one in ISO 8601.

    Args:
        filters: What the metadata must say; None or none of them for no condition.
        node_ids: Which nodes may match; None for all.
        source_ids: Nodes of which documents may match; None for all.

    Returns:
        All of it as one filter, or None for no condition.

    Raises:
        InputError: an operator that has no counterpart here, such as `text_match`, or a value that it does not take.
    """
    asked = as_filter(_joined(filters) if isinstance(filters, MetadataFilters) else filters)
    parts = [] if asked is None else [asked]
    parts += [
        Field(name).is_in(ids) for name, ids in ((_NODE_ID, node_ids), (_SOURCE_ID, source_ids)) if ids is not None
    ]
    if not parts:
        return None
    first, *others = parts
    for other in others:
        first &= other
    return first


def _joined(filters: MetadataFilters) -> dict[str, Any]:
    if not filters.filters:
        return {}
    join = _JOINS["and" if filters.condition is None else filters.condition.value]
    return join([_joined(each) if isinstance(each, MetadataFilters) else _tested(each) for each in filters.filters])


def _tested(filter: MetadataFilter) -> dict[str, Any]:
    operator = filter.operator.value
    if operator not in _TESTS:
        raise InputError(f"A filter of {filter.key!r} by {operator!r} has no counterpart; known: {', '.join(_TESTS)}.")
    if operator in ("in", "nin", "any", "all") and not isinstance(filter.value, list):
        raise InputError(f"A filter of {filter.key!r} by {operator!r} takes a list, got {filter.value!r}.")
    return _TESTS[operator](join_path((filter.key,)), filter.value)


def _ordered(value: Any) -> Any:
    """A value that has an order: LlamaIndex's filters hold dates as texts."""
    return {"$date": value} if isinstance(value, str) else value
