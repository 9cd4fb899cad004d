"""Options are checked when they are made, and say what is wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jina_components.deep_search_options import Budget, DeepSearchOptions, Prices
from jina_components.errors import ConfigError

SCHEMA = {"type": "object", "properties": {"year": {"type": "integer"}}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"reasoning_effort": "extreme"},
        {"reasoning_effort": None},
        {"budget": {"tokens": 5}},
        {"budget": 1000},
        {"max_attempts": 0},
        {"max_attempts": True},
        {"max_attempts": 1.5},
        {"no_direct_answer": "yes"},
        {"schema": "object"},
        {"schema": {"type": "objekt"}},
        {"schema": {"type": object}},
        {"schema": {"name": "it", "schema": {"type": 5}}},
        {"schema": {"const": math.nan}},
        {"schema": {"$ref": "https://example.com/schema"}},
        {"language": "German"},
        {"language": None},
        {"search_language": "en_US"},
        {"boost_hostnames": "example.com"},
        {"bad_hostnames": ("",)},
        {"bad_hostnames": ("a b.com",)},
        {"only_hostnames": (5,)},
        {"only_hostnames": ("http://[::1",)},
        {"only_hostnames": ("www.example.com",), "bad_hostnames": ("example.com",)},
        {"max_citations": -1},
        {"max_citations": None},
        {"min_citation_relevance": 1.1},
        {"min_citation_relevance": -0.1},
        {"min_citation_relevance": math.nan},
        {"min_citation_relevance": "0.5"},
        {"unsupported": "keep"},
        {"max_returned_urls": -1},
        {"team_size": 0},
        {"team_size": 17},
    ],
)
def test_refuses_what_is_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        DeepSearchOptions(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens": 0},
        {"tokens": 1e5},
        {"steps": -1},
        {"steps": True},
        {"seconds": 0},
        {"seconds": math.inf},
        {"seconds": "5"},
        {"money": 1.0},
        {"money": math.nan, "prices": Prices(read=1)},
        {"prices": 5},
    ],
)
def test_refuses_budgets_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Budget(**wrong)


@pytest.mark.parametrize("price", [-1, math.nan, math.inf, "1", None])
def test_refuses_prices_that_are_none(price: Any) -> None:
    with pytest.raises(ConfigError, match="prices.search"):
        Prices(search=price)


def test_hosts_are_kept_as_urls_are_compared() -> None:
    options = DeepSearchOptions(
        boost_hostnames=("WWW.Example.com", "example.com."),
        bad_hostnames=["https://forum.example.com:8080/a?b", "bücher.example"],  # type: ignore[arg-type]
        only_hostnames=("edu", "127.0.0.1"),
    )
    assert options.boost_hostnames == ("example.com",)
    assert options.bad_hostnames == ("forum.example.com", "xn--bcher-kva.example")
    assert options.only_hostnames == ("edu", "127.0.0.1")


def test_schema_is_a_copy_out_of_its_wrapper() -> None:
    inner: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}
    options = DeepSearchOptions(schema={"name": "person", "strict": True, "schema": inner})
    assert options.schema == inner
    inner["type"] = "changed"
    assert options.schema is not None
    assert options.schema["type"] == "object"
    assert DeepSearchOptions(schema=SCHEMA).schema == SCHEMA
    assert hash(options) == hash(DeepSearchOptions())


def test_takes_what_is_at_the_ends_of_the_ranges() -> None:
    budget = Budget(tokens=1, steps=1, seconds=0.1, money=1, prices=Prices(prompt=1))
    options = DeepSearchOptions(
        budget=budget, max_attempts=1, max_citations=0, min_citation_relevance=1, max_returned_urls=0, team_size=16,
        language="zh-Hant-TW", search_language="de",
    )  # fmt: skip
    assert options.budget == budget
