"""The tabs of the playground, one module a product.

Each module has one function, `add(page)`: it puts components where it is called, in a tab of its own, and tells the
page what they are for (`Page.product`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jina_components.service.playground.tabs import (
    classify,
    deepsearch,
    embeddings,
    grounding,
    reader,
    rerank,
    search,
    segment,
    usage,
)

if TYPE_CHECKING:
    from jina_components.service.playground.page import Page


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab.

    Attributes:
        name: In its address (`/?tab=NAME`) and for tests.
        title: What is written on it.
        add: Puts its components on the page.
    """

    name: str
    title: str
    add: Callable[[Page], None]


TABS = (
    Tab("embeddings", "Embeddings", embeddings.add),
    Tab("rerank", "Rerank", rerank.add),
    Tab("classify", "Classify", classify.add),
    Tab("segment", "Segment", segment.add),
    Tab("reader", "Reader", reader.add),
    Tab("search", "Search", search.add),
    Tab("grounding", "Grounding", grounding.add),
    Tab("deepsearch", "Deep search", deepsearch.add),
    Tab("usage", "Key & usage", usage.add),
)
