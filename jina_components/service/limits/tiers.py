"""What the keys of each tier may ask for: by product, how often, how much, and how much at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

from jina_components.errors import ConfigError
from jina_components.service.products import Product


@dataclass(frozen=True, slots=True)
class Rate:
    """Limits of one product; None for none.

    Attributes:
        requests: A minute.
        tokens: A minute.
        concurrent: Requests at once.
    """

    requests: int | None = None
    tokens: int | None = None
    concurrent: int | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """Limits of those who are of one tier.

    Attributes:
        rates: By product; None where a key of this tier, or none, is not let in. A product that is not named has no
            limits.
    """

    rates: Mapping[Product, Rate | None]


NO_KEY = "none"
"""The tier of those who have no key; each address has its limits."""

OWNED: frozenset[Product] = frozenset({"account", "batch", "finetune", "train"})
"""Products that always take a key, for what is made with them is somebody's."""

_NAMES = (NO_KEY, "free", "paid", "premium")
_CONCURRENT = (2, 2, 50, 500)
# Requests and tokens a minute of those tiers: Jina's, of late 2025, and of 2024 what was published then alone.
_PUBLISHED: dict[Product, tuple[Rate | None, ...]] = {
    "embeddings": (None, Rate(100, 100_000), Rate(500, 2_000_000), Rate(5_000, 50_000_000)),
    "rerank": (None, Rate(100, 100_000), Rate(500, 2_000_000), Rate(5_000, 50_000_000)),
    "classify": (None, Rate(25, 25_000), Rate(125, 500_000), Rate(1_250, 12_000_000)),
    "train": (None, Rate(25, 25_000), Rate(125, 500_000), Rate(1_250, 12_000_000)),
    "batch": (None, Rate(100), Rate(500), Rate(5_000)),  # whose tokens are used in the background
    "finetune": (None, Rate(20), Rate(100), Rate(1_000)),  # ours: Jina has none; jobs are worked on one at a time
    "segment": (Rate(20), Rate(200), Rate(200), Rate(1_000)),
    "reader": (Rate(20), Rate(500), Rate(500), Rate(5_000)),
    "search": (None, Rate(100), Rate(100), Rate(1_000)),
    "grounding": (None, Rate(10), Rate(30), Rate(30)),
    "deepsearch": (None, Rate(50), Rate(50), Rate(500)),
}

TIERS: dict[str, Tier] = {
    name: Tier(
        {
            product: rate and replace(rate, concurrent=at_once)
            for product, row in _PUBLISHED.items()
            for rate in [row[place]]
        }
        | dict.fromkeys(OWNED if name == NO_KEY else ())
    )
    for place, (name, at_once) in enumerate(zip(_NAMES, _CONCURRENT, strict=True))
}
"""Those that a key may be of unless an operator has others; see `read_tiers`."""

_FIELDS = tuple(each.name for each in fields(Rate))


def read_tiers(path: Path) -> dict[str, Tier]:
    """Tiers of an operator: those of `TIERS`, with products replaced, and further ones.

        [tiers.free.embeddings]          # of a tier and a product, whole
        requests = 500                   # a minute
        tokens = 1_000_000               # a minute
        concurrent = 5                   # at once; what is left out has no limit

        [tiers.team]                     # a new tier; products that it does not name have no limits
        deepsearch = false               # not let in

    Args:
        path: A file in TOML.

    Raises:
        ConfigError: it cannot be read, or makes no sense.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"The tiers cannot be read: {path}: {error.strerror}.") from error
    except ValueError as error:  # of TOML or UTF-8
        raise ConfigError(f"The tiers of {path} are no TOML: {error}.") from error
    named = content.get("tiers")
    if list(content) != ["tiers"] or not isinstance(named, dict):
        raise ConfigError(f"The tiers of {path} are tables [tiers.NAME.PRODUCT], such as [tiers.free.embeddings].")
    tiers = dict(TIERS)
    for name, products in named.items():
        if not isinstance(products, dict):
            raise ConfigError(f"tiers.{name} in {path} must be a table of products, got {products!r}.")
        known = tiers[name].rates if name in tiers else {}
        tiers[name] = Tier(
            {**known, **{_product(product): _rate(path, name, product, given) for product, given in products.items()}}
        )
    return tiers


def _product(name: str) -> Product:
    for product in get_args(Product):
        if name == product:
            found: Product = product
            return found
    raise ConfigError(f"There is no product {name!r} to limit: there are {', '.join(get_args(Product))}.")


def _rate(path: Path, tier: str, product: str, given: Any) -> Rate | None:  # noqa: ANN401 (of TOML)
    where = f"tiers.{tier}.{product} in {path}"
    if given is False:
        return None
    if not isinstance(given, dict):
        raise ConfigError(f"{where} must be a table of {', '.join(_FIELDS)}, or false, got {given!r}.")
    if tier == NO_KEY and product in OWNED:
        raise ConfigError(f"{where} must be false: what is made with it is somebody's, so that it takes a key.")
    for name, number in given.items():
        if name not in _FIELDS:
            raise ConfigError(f"{where} has no {name!r}: there are {', '.join(_FIELDS)}.")
        if type(number) is not int or number < 1:
            raise ConfigError(f"{name} of {where} must be a whole number from 1; leave it out for no limit.")
    return Rate(**given)
