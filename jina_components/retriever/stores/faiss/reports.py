"""What looking through a store, or mending it, brings to light."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What `verify` or `repair` found.

    Attributes:
        problems: What was not as it was written, a sentence each; none in a whole store.
        leftovers: Files of killed processes, which harm nothing; `compact` removes them.
        lost: Ids of the documents that `repair` dropped, as far as they can be read; to be put again.
    """

    problems: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
