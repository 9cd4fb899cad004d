"""Everything outside of the loop, as one search uses it: paid for, and on record."""

from __future__ import annotations

from dataclasses import dataclass

from jina_components.deep_search.chat.asking import Asker
from jina_components.deep_search.citing.attribution import Attributor
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.gathering.gatherer import Gatherer
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the loop and its reasoner work with.

    Attributes:
        asker: Asks the chat model; None where there is none.
        gatherer: Searches and reads.
        comparer: Says how similar or relevant texts are.
        attributor: Finds the quotes that show an answer.
        journal: Has every call on record.
        meter: Counts what they cost.
    """

    asker: Asker | None
    gatherer: Gatherer
    comparer: Comparer
    attributor: Attributor
    journal: Journal
    meter: Meter
