"""Documents as foreign vector indexes take them."""

from __future__ import annotations

import json
from typing import TypeAlias

from jina_components.types import Document

Plain: TypeAlias = str | int | float | bool

KEY_FIELD, ID_FIELD = "jina_components_key", "jina_components_id"
_MOST = 2**63 - 1


def plain_text(text: str) -> str:
    """The text with `?` for halves of surrogate pairs and NUL, which have no place in UTF-8 or in C strings."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def plain_metadata(document: Document, key: str) -> dict[str, Plain]:
    """A document's metadata for those who filter in the foreign index itself.

    Texts, truth values, numbers of 64 bits as they are; other values as JSON text; fields without a name, and those
    whose name begins with `$`, which indexes keep for operators, not at all. Beside them the document's id as
    `jina_components_id` and the key as `jina_components_key`.
    """
    fields = {
        plain_text(name): _plain(value)
        for name, value in document.metadata.items()
        if name and not name.startswith("$")
    }
    return {**fields, ID_FIELD: plain_text(document.id), KEY_FIELD: key}


def _plain(value: object) -> Plain:
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, float | bool) or (isinstance(value, int) and abs(value) <= _MOST):
        return value
    return json.dumps(value)
