"""Tiers: what is published, and what an operator says instead."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from jina_components.errors import ConfigError
from jina_components.service.limits.tiers import NO_KEY, OWNED, TIERS, Rate, read_tiers
from jina_components.service.products import Product
from jina_components.service.settings import ServiceSettings


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(content: str) -> Path:
        (tmp_path / "tiers.toml").write_text(content, "utf-8")
        return tmp_path / "tiers.toml"

    return written


@pytest.mark.parametrize(
    ("product", "none", "free", "paid", "premium"),
    [
        ("reader", 20, 500, 500, 5000),
        ("search", None, 100, 100, 1000),
        ("embeddings", None, 100, 500, 5000),
        ("rerank", None, 100, 500, 5000),
        ("classify", None, 25, 125, 1250),
        ("train", None, 25, 125, 1250),
        ("segment", 20, 200, 200, 1000),
        ("deepsearch", None, 50, 50, 500),
    ],
)
def test_requests_a_minute_are_those_published(product, none, free, paid, premium):
    found = [rate and rate.requests for rate in (TIERS[name].rates[product] for name in TIERS)]
    assert found == [none, free, paid, premium]


@pytest.mark.parametrize(
    ("products", "free", "paid", "premium"),
    [(("embeddings", "rerank"), 10**5, 2 * 10**6, 5 * 10**7), (("classify", "train"), 25_000, 500_000, 12 * 10**6)],
)
def test_tokens_a_minute_are_those_published(products, free, paid, premium):
    for product in products:
        assert [TIERS[name].rates[product].tokens for name in ("free", "paid", "premium")] == [free, paid, premium]


def test_concurrency_is_that_published():
    assert {name: tier.rates["segment"].concurrent for name, tier in TIERS.items()} == {
        "none": 2, "free": 2, "paid": 50, "premium": 500,
    }  # fmt: skip


def test_what_is_made_with_a_product_takes_a_key():
    assert all(TIERS[NO_KEY].rates[product] is None for product in OWNED)


def test_settings_with_tiers_survive_pickling(tmp_path):
    settings = ServiceSettings(data=tmp_path)
    assert pickle.loads(pickle.dumps(settings)).tiers == TIERS


def test_products_of_a_tier_are_replaced_whole_and_the_others_stay(write):
    tiers = read_tiers(write("[tiers.free.embeddings]\nrequests = 500\nconcurrent = 5\n"))
    assert tiers["free"].rates["embeddings"] == Rate(500, None, 5)
    assert tiers["free"].rates["rerank"] == TIERS["free"].rates["rerank"]
    assert {name: tiers[name] for name in ("none", "paid", "premium")} == {
        name: TIERS[name] for name in ("none", "paid", "premium")
    }
    assert TIERS["free"].rates["embeddings"].requests == 100


def test_a_new_tier_has_no_limits_but_its_own(write):
    tiers = read_tiers(write("[tiers.team]\ndeepsearch = false\n[tiers.team.reader]\nrequests = 7\n"))
    assert tiers["team"].rates == {"deepsearch": None, "reader": Rate(7)}


def test_products_are_opened_for_those_without_a_key(write):
    tiers = read_tiers(write("[tiers.none.search]\nrequests = 3\n[tiers.none.embeddings]\n"))
    assert tiers[NO_KEY].rates["search"] == Rate(3)
    assert tiers[NO_KEY].rates["embeddings"] == Rate()
    assert tiers[NO_KEY].rates["rerank"] is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", r"tables \[tiers.NAME.PRODUCT\]"),
        ("tiers = 3", r"tables \[tiers.NAME.PRODUCT\]"),
        ("[tier.free.embeddings]\nrequests = 1", r"tables \[tiers.NAME.PRODUCT\]"),
        ("[tiers]\n[others]", r"tables \[tiers.NAME.PRODUCT\]"),
        ("[tiers.free", "are no TOML"),
        ("[tiers]\nfree = 3", "tiers.free in .* must be a table of products, got 3"),
        ("[tiers.free.embedding]\nrequests = 1", "no product 'embedding' .* embeddings, rerank"),
        ("[tiers.free]\nembeddings = true", "tiers.free.embeddings in .* or false, got True"),
        ("[tiers.free]\nembeddings = 100", "must be a table of requests, tokens, concurrent, or false"),
        ("[tiers.free.embeddings]\nrpm = 1", "has no 'rpm': there are requests, tokens, concurrent"),
        ("[tiers.free.embeddings]\nrequests = 0", "requests of tiers.free.embeddings .* whole number from 1"),
        ("[tiers.free.embeddings]\ntokens = 1.5", "whole number from 1"),
        ("[tiers.free.embeddings]\nconcurrent = true", "whole number from 1"),
        ("[tiers.none.train]\nrequests = 1", "tiers.none.train .* must be false"),
        ("[tiers.none.account]", "tiers.none.account .* must be false"),
    ],
)
def test_what_makes_no_sense_is_told(write, content, told):
    with pytest.raises(ConfigError, match=told):
        read_tiers(write(content))


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read: .*missing\.toml: No such file"):
        read_tiers(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(ConfigError, match="are no TOML"):
        read_tiers(tmp_path / "latin.toml")


def test_each_limited_product_is_one():
    assert all(set(tier.rates) <= set(get_args(Product)) for tier in TIERS.values())
