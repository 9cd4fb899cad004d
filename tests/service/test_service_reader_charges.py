"""What a page costs, as Jina has it: what is shown of it, and more where it took a model, scripts or a proxy."""

from __future__ import annotations

from typing import Any

import pytest

from jina_components.read_options import ReadOptions
from jina_components.service.wire.pages import page_data, tokens_of
from jina_components.service.wire.reading import ReadRequest
from jina_components.types import Page

TEXT = "The keeper of the lighthouse counts the ships that pass at night."
TOKENS = tokens_of(TEXT)


@pytest.mark.parametrize(
    ("options", "cost"),
    [
        ({}, TOKENS),
        ({"captions": True}, 765),
        ({"scripts": ("document.title",)}, 4000),
        ({"instruction": "the ships"}, 3 * 4000),
        ({"json_schema": {"type": "object"}}, 3 * 4000),
        ({"proxy": "http://proxy.example:3128"}, 5 * TOKENS),
        ({"scripts": ("document.title",), "proxy": "http://proxy.example:3128"}, 5 * 4000),
    ],
)
def test_a_page_costs_what_is_shown_and_what_it_took(options: dict[str, Any], cost: int) -> None:
    page = Page(url="https://example.com/", title="Ships", content=TEXT)
    asked = ReadRequest(options=ReadOptions(**options))
    assert page_data([page], asked)["usage"] == {"tokens": cost}


def test_a_page_never_costs_more_than_two_million() -> None:
    page = Page(url="https://example.com/", title="Ships", content="ship " * 500_000)
    asked = ReadRequest(options=ReadOptions(proxy="http://proxy.example:3128"))
    assert page_data([page], asked)["usage"] == {"tokens": 2_000_000}
