"""What the keys of each tier may ask for: by product, how often, how much, and how much at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jina_components.service.calls import Product


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


TIERS: Mapping[str, Tier] = MappingProxyType({"none": Tier({}), "free": Tier({})})
"""Jina's, of late 2025."""
