"""Elements of a body whose attributes say what they are, found in one pass over each attribute."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement


class Marks:
    """The values of `class`, `itemprop` and `rel` in a page, looked up when first asked for."""

    def __init__(self, tree: HtmlElement) -> None:
        self._tree = tree
        self._values: dict[str, list[Any]] = {}

    def find(self, attribute: str, words: re.Pattern[str], *, most: int) -> Iterator[HtmlElement]:
        """The first `most` elements whose `attribute` holds `words`, in the order of the page."""
        if attribute not in self._values:
            self._values[attribute] = _path(f"descendant::*/@{attribute}")(self._tree)
        found = 0
        for value in self._values[attribute]:
            if words.search(value):
                found += 1
                if found > most:
                    return
                yield value.getparent()


@functools.cache
def _path(path: str) -> Any:  # noqa: ANN401 (an XPath; lxml is not imported with this module)
    from lxml.etree import XPath

    return XPath(path)
