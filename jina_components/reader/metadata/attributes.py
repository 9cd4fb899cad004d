"""Elements of a body whose attributes say what they are, found in one pass over each attribute."""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement


class AttributeIndex:
    """The values of `class`, `itemprop` and `rel` in a page, looked up when first asked for."""

    def __init__(self, tree: HtmlElement) -> None:
        self._tree = tree
        self._values: dict[str, tuple[list[Any], list[int], str]] = {}

    def find(self, attribute: str, words: re.Pattern[str], *, most: int) -> Iterator[HtmlElement]:
        """The first `most` elements whose `attribute` holds `words`, in the order of the page."""
        values, ends, joined = self._looked_up(attribute)
        found = -1
        for match in words.finditer(joined):
            index = bisect_left(ends, match.end())
            if index > found and index < len(values):
                yield values[index].getparent()
                most -= 1
            if not most:
                return
            found = index

    def _looked_up(self, attribute: str) -> tuple[list[Any], list[int], str]:
        """The values, where each ends in all of them joined by spaces, and these: one search for many."""
        if attribute not in self._values:
            values = _path(f"descendant::*/@{attribute}")(self._tree)
            ends = list(accumulate(len(value) + 1 for value in values))
            self._values[attribute] = values, ends, " ".join([*values, ""])
        return self._values[attribute]


@functools.cache
def _path(path: str) -> Any:  # noqa: ANN401 (an XPath; lxml is not imported with this module)
    from lxml.etree import XPath

    return XPath(path)
