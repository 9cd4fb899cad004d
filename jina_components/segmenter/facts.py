"""What a page knows of itself that its chunks can be filtered by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jina_components.types import Page

_LONGEST_TEXT = 200
_MOST_ITEMS = 20
# How a source was read, and where it stands in itself, says nothing about it.
_LEFT_OUT = frozenset({"encoding", "conversion", "start", "end", "page", "heading"})


def facts(page: Page) -> dict[str, Any]:
    """Language, date, and what is short of `page.metadata` and its front matter; of one name, the first of these."""
    own = {"language": page.language, "published_time": page.published_time}
    front = page.metadata.get("front_matter")
    found: dict[str, Any] = {}
    for source in ({name: value for name, value in own.items() if value}, page.metadata, front):
        for name, value in source.items() if isinstance(source, Mapping) else ():
            if name not in _LEFT_OUT and _is_filterable(value):
                found.setdefault(name, list(value) if isinstance(value, tuple) else value)
    return found


def _is_filterable(value: object) -> bool:
    if isinstance(value, list | tuple):
        return 0 < len(value) <= _MOST_ITEMS and all(_is_scalar(item) for item in value)
    return _is_scalar(value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT)
